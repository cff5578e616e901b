-- What the server last said: its state (`fim/status`) for the statusline, its messages for a person.
local M = {}

local SIGNS = {
  idle = '',
  thinking = ' …',
  limited = ' ⏸',
  offline = ' ⚠',
  error = ' ✗',
  off = ' off',
}

-- From here on the statusline shows how much of the minute's tokens is used: the server is sparing then.
local BUDGET_SHOWN_FROM = 0.5

local LEVELS = { vim.log.levels.ERROR, vim.log.levels.WARN, vim.log.levels.INFO }

---@class fim_lsp.Status
---@field state? string
---@field message? string
---@field budget_used? number 0 to 1, the part of the minute's tokens; nil where there is no limit

local latest = {} ---@type table<integer, fim_lsp.Status>
local messages = {} ---@type table<integer, string>

function M.set(client_id, status)
  latest[client_id] = type(status) == 'table' and status or nil
  vim.schedule(function()
    vim.cmd.redrawstatus({ bang = true })
  end)
end

--- The server's last message; nil where it has shown none.
---@return string?
function M.message(client_id)
  return messages[client_id]
end

--- Neovim writes "-- INSERT --" over a message at once. So the mode's name gives way until insert mode is left,
--- and the message is there once more then.
local function keep(line)
  if not vim.o.showmode or vim.api.nvim_get_mode().mode:sub(1, 1) == 'n' then
    return
  end
  vim.o.showmode = false
  vim.api.nvim_create_autocmd('ModeChanged', {
    pattern = '*:n',
    once = true,
    callback = vim.schedule_wrap(function()
      vim.o.showmode = true
      vim.api.nvim_echo({ { line, 'WarningMsg' } }, false, {})
    end),
  })
end

--- Show a text in the one line below the document. A longer one would stop whoever is typing with a
--- "Press ENTER"; `more` then stands where it was cut.
function M.tell(text, level, more)
  vim.schedule(function()
    local line, room = text:gsub('%s+', ' '), vim.v.echospace
    if vim.fn.strdisplaywidth(line) > room then
      line = vim.fn.strcharpart(line, 0, room - vim.fn.strdisplaywidth(more)) .. more
    end
    keep(line)
    vim.notify(line, level)
  end)
end

--- Show a message of the server; all of it stands in `:FimWhy` and `:checkhealth fim_lsp`.
---@param shown lsp.ShowMessageParams
function M.show(client_id, shown)
  messages[client_id] = shown.message
  M.tell(shown.message, LEVELS[shown.type] or vim.log.levels.DEBUG, '… (:FimWhy)')
end

--- The server's last state; empty where it has said nothing yet.
---@return fim_lsp.Status
function M.of(client_id)
  return latest[client_id] or {}
end

--- How much of the minute's tokens is used, as `42 %`; nil where it is not known.
---@return string?
function M.budget(client_id)
  local used = M.of(client_id).budget_used
  return type(used) == 'number' and ('%.0f %%'):format(used * 100) or nil
end

--- `fim`, with a sign behind it where there is something to know; empty without a server.
---@param bufnr? integer
---@return string
function M.line(bufnr)
  bufnr = bufnr or 0
  local client = vim.lsp.get_clients({ name = 'fim_lsp', bufnr = bufnr })[1]
  if not client then
    return ''
  elseif not vim.lsp.inline_completion.is_enabled({ bufnr = bufnr }) then
    return 'fim off'
  end
  local status = M.of(client.id)
  local sign = SIGNS[status.state] or ''
  if sign == '' and (status.message or '') ~= '' then
    sign = ' !' -- it works, and something in the settings does not: `:FimStatus` says what
  end
  local is_much = (status.budget_used or 0) >= BUDGET_SHOWN_FROM
  return 'fim' .. sign .. (is_much and ' ' .. M.budget(client.id) or '')
end

return M
