-- What the server last said about itself (`fim/status`), and a line of it for the statusline.
local M = {}

local SIGNS = {
  idle = '',
  thinking = ' …',
  limited = ' ⏸',
  error = ' ✗',
}

local latest = {} ---@type table<integer, { state: string, message?: string }>

function M.set(client_id, status)
  latest[client_id] = type(status) == 'table' and status or nil
  vim.schedule(function()
    vim.cmd.redrawstatus({ bang = true })
  end)
end

--- What the server said last; empty where it has said nothing yet.
---@return { state?: string, message?: string }
function M.of(client_id)
  return latest[client_id] or {}
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
  return 'fim' .. (SIGNS[M.of(client.id).state] or '')
end

return M
