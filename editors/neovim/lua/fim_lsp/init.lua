-- fim-lsp for Neovim: accepting ghost text in whole or in part, keys, and a switch.
--
-- Neovim asks for ghost text and draws it. This file only adds what `vim.lsp.inline_completion`
-- leaves open. Nothing here is needed to see ghost text; see |fim-lsp-bare|.
local M = {}

local DEFAULTS = {
  keys = {
    accept = '<Tab>',
    accept_word = '<M-Right>',
    accept_line = '<M-C-Right>',
    next = '<M-]>',
    previous = '<M-[>',
  },
  server = {}, -- given to vim.lsp.config('fim_lsp', …) as it is
}

local parts = {
  all = function(rest)
    return rest
  end,
  word = function(rest)
    return rest:match('^%s*[%w_\128-\255]+') or rest:match('^%s*[^%s%w_\128-\255]+') or rest
  end,
  line = function(rest)
    return rest:match('^\n*[^\n]*')
  end,
}

--- What of the item still has to be typed, and where it belongs; nil where it no longer fits.
---
--- Neovim 0.12 neither compares an item with what was typed since it was asked for nor moves its
--- range; accepting it a moment later would repeat the typed characters or land in the wrong place.
---@return string? rest, integer? start_col, integer? end_col zero-based bytes on the cursor's line
local function fit(item)
  local start_row, start_col, end_row, end_col = item.range:to_extmark()
  local row, col = unpack(vim.api.nvim_win_get_cursor(0))
  if start_row ~= row - 1 or end_row ~= row - 1 or col < start_col then
    return nil
  end
  local line = vim.api.nvim_get_current_line()
  local typed = line:sub(start_col + 1, col)
  if typed == item.insert_text or not vim.startswith(item.insert_text, typed) then
    return nil
  end
  return item.insert_text:sub(#typed + 1), col, math.min(math.max(end_col, col), #line)
end

local function adapted(item, part)
  if not item.range or type(item.insert_text) ~= 'string' then
    return item -- another server's snippet: Neovim knows what to do with it
  end
  local rest, start_col, end_col = fit(item)
  if not rest then
    return nil
  end
  local text = parts[part](rest)
  if text ~= rest then
    item.command = nil -- it reports that the whole item was accepted
    end_col = start_col
  end
  local row = item.range:to_extmark()
  item.insert_text = text
  item.range = vim.range(vim.api.nvim_get_current_buf(), row, start_col, row, end_col)
  return item
end

local function begin_undo_step()
  vim.cmd('let &g:undolevels = &g:undolevels')
end

--- Put the ghost text, or a part of it, into the buffer.
---
---@param part? 'all'|'word'|'line'
---@param otherwise? fun() called where what is shown no longer fits the text
---@return boolean: false where there is no ghost text, so that a key can do something else
function M.accept(part, otherwise)
  return vim.lsp.inline_completion.get({
    on_accept = function(item)
      local result = adapted(item, part or 'all')
      if result then
        begin_undo_step()
      elseif otherwise then
        otherwise()
      end
      return result
    end,
  })
end

--- Switch ghost text on or off in one buffer.
---@param bufnr? integer
function M.toggle(bufnr)
  bufnr = bufnr or 0
  local on = not vim.lsp.inline_completion.is_enabled({ bufnr = bufnr })
  vim.lsp.inline_completion.enable(on, { bufnr = bufnr })
  vim.notify('fim-lsp is ' .. (on and 'on' or 'off') .. ' in this buffer')
  vim.cmd.redrawstatus({ bang = true })
end

--- What Neovim holds of a buffer's ghost text. It is Neovim's own and may go; then this is nil.
local function completor_of(bufnr)
  local capability = require('vim.lsp._capability').all.inline_completion
  return capability and capability.active[bufnr]
end

--- Which of the items is shown already; before the first, where none is.
local function index_of(items, shown)
  for index, item in ipairs(items) do
    if shown and item.insertText == shown.insert_text then
      return index
    end
  end
  return 0
end

local function place()
  return { vim.api.nvim_get_current_buf(), vim.b.changedtick, vim.api.nvim_win_get_cursor(0) }
end

--- Ask by hand, which Neovim 0.12 never does. The server then looks for several suggestions; they
--- come one by one, so ask again until there is more than one.
local function ask_for_others(completor, client, count, tries)
  local asked_at = place()
  local params = vim.lsp.util.make_position_params(0, client.offset_encoding)
  params.context = { triggerKind = vim.lsp.protocol.InlineCompletionTriggerKind.Invoked }
  local function answered(_, result)
    local state = completor.client_state[client.id]
    local items = result and result.items or {}
    if not state or #items == 0 or not vim.deep_equal(place(), asked_at) then
      return
    end
    if #items > 1 or not completor.current then
      state.items = items
      completor:select((index_of(items, completor.current) + count - 1) % #items + 1, #items > 1)
    end
    if #items == 1 and tries > 0 then
      vim.defer_fn(function()
        if vim.deep_equal(place(), asked_at) and completor.current then
          ask_for_others(completor, client, count, tries - 1)
        end
      end, 150)
    end
  end
  client:request('textDocument/inlineCompletion', params, answered, asked_at[1])
end

--- Show another suggestion; where there is one alone, ask for others first.
---@param count integer how many further on
function M.select(count)
  local completor = completor_of(vim.api.nvim_get_current_buf())
  local client = vim.lsp.get_clients({ name = 'fim_lsp', bufnr = 0 })[1]
  if not completor or not client or (completor.current and completor:count_items() > 1) then
    vim.lsp.inline_completion.select({ count = count })
  else
    ask_for_others(completor, client, count, 20)
  end
end

--- A word for the statusline: `set statusline+=%{v:lua.require'fim_lsp'.status()}`.
---@param bufnr? integer
function M.status(bufnr)
  return require('fim_lsp.status').line(bufnr)
end

--- What the key did before, as a function. A mapping moves to a <Plug> name as it is, so that
--- another plugin's <Tab> goes on to work where there is no ghost text.
local function former(lhs)
  local plug = ('<Plug>(fim-lsp-%s)'):format(lhs:gsub('[<>]', ''))
  local before = vim.fn.maparg(lhs, 'i', false, true)
  if before.lhs and before.buffer == 0 and not vim.startswith(before.desc or '', 'fim-lsp: ') then
    before.lhs, before.lhsraw, before.lhsrawalt = plug, vim.keycode(plug), nil
    vim.fn.mapset('i', false, before)
  end
  local moved = vim.fn.maparg(plug, 'i') ~= ''
  local keys = vim.keycode(moved and plug or lhs)
  return function()
    vim.api.nvim_feedkeys(keys, moved and 'im' or 'int', false)
  end
end

local function map(lhs, what, action)
  if lhs then
    local otherwise = former(lhs)
    vim.keymap.set('i', lhs, function()
      if not action(otherwise) then
        otherwise()
      end
    end, { desc = 'fim-lsp: ' .. what })
  end
end

local function map_accept(lhs, what, part)
  map(lhs, what, function(otherwise)
    return M.accept(part, otherwise)
  end)
end

local function map_select(lhs, what, count)
  map(lhs, what, function()
    M.select(count)
    return true
  end)
end

--- Take ghost text off the screen as soon as what is typed contradicts it. Neovim would go on
--- drawing it until the next answer comes.
local function hide_misfit(bufnr)
  local completor = completor_of(bufnr)
  local item = completor and completor.current
  if item and item.range and type(item.insert_text) == 'string' and not fit(item) then
    local namespace = vim.api.nvim_create_namespace('nvim.lsp.inline_completion')
    vim.api.nvim_buf_clear_namespace(bufnr, namespace, 0, -1)
  end
end

local function watch_misfits()
  local group = vim.api.nvim_create_augroup('fim_lsp', {})
  vim.api.nvim_create_autocmd('InsertEnter', {
    group = group,
    callback = function(enter)
      -- Defined anew each time, because it has to run after the one that draws.
      vim.api.nvim_clear_autocmds({ group = group, buffer = enter.buf })
      vim.api.nvim_create_autocmd({ 'CursorMovedI', 'TextChangedP' }, {
        group = group,
        buffer = enter.buf,
        callback = function()
          hide_misfit(enter.buf)
        end,
      })
    end,
  })
end

local function ask_late(bufnr)
  local completor = completor_of(bufnr)
  local is_here = bufnr == vim.api.nvim_get_current_buf() and vim.api.nvim_get_mode().mode:sub(1, 1) == 'i'
  if completor and is_here and vim.bo.modified then
    completor:automatic_request()
  end
end

--- Ask where somebody has typed before the server was there; Neovim would wait for the next key.
local function watch_late_starts()
  vim.api.nvim_create_autocmd('LspAttach', {
    group = vim.api.nvim_create_augroup('fim_lsp_late', {}),
    callback = function(attached)
      local client = vim.lsp.get_client_by_id(attached.data.client_id)
      if client and client.name == 'fim_lsp' then
        -- Neovim gets ready to ask in a step that it plans behind this one.
        vim.schedule(function()
          vim.schedule(function()
            ask_late(attached.buf)
          end)
        end)
      end
    end,
  })
end

local begun = false

--- Show ghost text, map the keys and define the command; the server's entry does it with the
--- defaults where nobody has called `setup()`.
---@param keys? table<string, string|false>
function M.begin(keys)
  if begun and not keys then
    return
  end
  begun = true
  keys = vim.tbl_extend('force', DEFAULTS.keys, keys or {})
  if not vim.lsp.inline_completion.is_enabled() then
    vim.lsp.inline_completion.enable() -- before a server attaches: Neovim 0.12 mixes up two otherwise
  end
  watch_misfits()
  watch_late_starts()
  map_accept(keys.accept, 'accept', 'all')
  map_accept(keys.accept_word, 'accept a word', 'word')
  map_accept(keys.accept_line, 'accept a line', 'line')
  map_select(keys.next, 'next suggestion', 1)
  map_select(keys.previous, 'previous suggestion', -1)
  vim.api.nvim_create_user_command('FimToggle', function()
    M.toggle()
  end, { desc = 'fim-lsp: switch ghost text on or off in this buffer' })
  require('fim_lsp.commands').create()
end

--- Neovim notes in its log alone that there is no such program.
local function tell_of_missing_program()
  local command = vim.lsp.config.fim_lsp.cmd
  if type(command) == 'table' and vim.fn.executable(command[1]) == 0 then
    local text = ("fim-lsp: there is no '%s' on the PATH; see :checkhealth fim_lsp"):format(command[1])
    require('fim_lsp.status').tell(text, vim.log.levels.WARN, '…')
  end
end

--- Start the server for every file, show its ghost text and map the keys.
---@param opts? { keys?: table<string, string|false>, server?: vim.lsp.Config }
function M.setup(opts)
  if vim.fn.has('nvim-0.12') == 0 then
    vim.notify('fim-lsp needs Neovim 0.12 or newer: ghost text is not in this one.', vim.log.levels.ERROR)
    return
  end
  opts = vim.tbl_deep_extend('force', DEFAULTS, opts or {})
  vim.lsp.config('fim_lsp', opts.server)
  M.begin(opts.keys)
  vim.lsp.enable('fim_lsp')
  tell_of_missing_program()
end

return M
