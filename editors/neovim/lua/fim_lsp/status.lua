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

local LEAST_CAUSE_COLUMNS = 34

local LEVELS = { vim.log.levels.ERROR, vim.log.levels.WARN, vim.log.levels.INFO }

---@class fim_lsp.Status
---@field state? string
---@field message? string
---@field budget_used? number 0 to 1, the part of the minute's tokens; `vim.NIL` where there is no limit

local latest = {} ---@type table<integer, fim_lsp.Status>
local messages = {} ---@type table<integer, string>

local kept = nil ---@type string?
local hides_mode = false
local is_wrong = false

local function show(line)
  vim.api.nvim_echo({ { line, 'WarningMsg' } }, false, {})
end

local function show_mode()
  vim.o.showmode = vim.o.showmode or hides_mode
  hides_mode = false
end

--- Neovim writes "-- INSERT --" over a message at once. So the mode's name gives way until insert mode is left,
--- and the message is there once more then. One that comes before insert mode is shown again in it.
local function keep(line, level)
  kept = line
  if not vim.o.showmode then
    return
  elseif vim.api.nvim_get_mode().mode:sub(1, 1) == 'n' then
    if level < vim.log.levels.WARN then
      return
    end
    vim.api.nvim_create_autocmd('InsertEnter', {
      once = true,
      callback = vim.schedule_wrap(function()
        if kept == line and vim.api.nvim_get_mode().mode:sub(1, 1) == 'i' then
          keep(line, level)
          show(line)
        end
      end),
    })
    return
  end
  vim.o.showmode, hides_mode = false, true
  vim.api.nvim_create_autocmd('ModeChanged', {
    pattern = '*:n',
    once = true,
    callback = vim.schedule_wrap(function()
      show_mode()
      if kept then
        show(kept)
      end
    end),
  })
end

--- What was wrong has been mended: nothing on the screen says any more that it is.
local function release()
  if kept then
    kept = nil
    show_mode()
    show('')
  end
end

function M.set(client_id, status)
  latest[client_id] = type(status) == 'table' and status or nil
  local now = M.of(client_id)
  local is_mended = is_wrong and now.state == 'idle' and now.message == ''
  is_wrong = (now.message or '') ~= '' or (is_wrong and not is_mended)
  vim.schedule(function()
    if is_mended then
      release()
    end
    vim.cmd.redrawstatus({ bang = true })
  end)
end

--- The server's last message; nil where it has shown none.
---@return string?
function M.message(client_id)
  return messages[client_id]
end

--- A message in `room` columns. It says the cause, then what to do, then what the endpoint said: where not all has
--- room, what to do comes first, and `more` stands where it was cut.
local function fitted(text, room, more)
  local width = vim.fn.strdisplaywidth
  local line = text:gsub('%s+', ' ')
  if width(line) <= room then
    return line
  end
  room = room - width(more)
  line = line:gsub(' It says: ".*$', ''):gsub(' %(status %d+%)', '')
  local cause, remedy = line:match('^(.-: .-): (.+)$') -- "fim-lsp: the cause: what to do"
  if cause and width(line) > room then
    remedy = remedy:gsub('; or .*$', ''):gsub('([.?]) .*$', '%1'):gsub(' %b()', ''):gsub('%.$', '')
    local left = math.max(room - width(': ' .. remedy), LEAST_CAUSE_COLUMNS)
    if width(cause) > left then
      cause = vim.fn.strcharpart(cause, 0, left - 1) .. '…'
    end
    line = cause .. ': ' .. remedy
  end
  return vim.fn.strcharpart(line, 0, room) .. more
end

--- Show a text in the one line below the document. A longer one would stop whoever is typing with a
--- "Press ENTER"; `more` then stands where it was cut.
function M.tell(text, level, more)
  vim.schedule(function()
    local line = fitted(text, vim.v.echospace, more)
    keep(line, level)
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
  local used = status.budget_used
  local is_much = type(used) == 'number' and used >= BUDGET_SHOWN_FROM
  return 'fim' .. sign .. (is_much and ' ' .. M.budget(client.id) or '')
end

return M
