-- `:checkhealth fim_lsp`: from the program to the ghost text, in the order in which it can fail.
local M = {}

local function check_neovim()
  vim.health.start('Neovim')
  if vim.fn.has('nvim-0.12') == 1 then
    vim.health.ok('Neovim ' .. tostring(vim.version()))
    return true
  end
  vim.health.error('Neovim ' .. tostring(vim.version()) .. ' has no inline completion', 'Install Neovim 0.12 or newer.')
end

local function check_program()
  vim.health.start('Server')
  local command = vim.lsp.config.fim_lsp.cmd
  if type(command) ~= 'table' then
    vim.health.info('The command is a Lua function.')
    return
  end
  local path = vim.fn.exepath(command[1])
  if path == '' then
    vim.health.error(("'%s' is not an executable on the PATH"):format(command[1]), {
      'Install the server, for instance with: pipx install ~/src/fim-lsp',
      "Or name it: require('fim_lsp').setup({ server = { cmd = { '/path/to/fim-lsp' } } })",
    })
    return
  end
  local version = vim.list_extend({ path }, vim.list_slice(command, 2))
  version[#version + 1] = '--version'
  local ok, done = pcall(function()
    return vim.system(version, { text = true }):wait(10000)
  end)
  if ok and done.code == 0 then
    vim.health.ok(('%s (%s)'):format(vim.trim(done.stdout), path))
  else
    local why = vim.trim(ok and done.stderr or tostring(done))
    vim.health.error(path .. ' does not run: ' .. why, 'Install the server again.')
  end
end

local function check_settings(client)
  local sent = vim.inspect(client.settings or {}, { newline = ' ', indent = '' })
  vim.health.info('Settings that Neovim sends: ' .. sent)
  vim.health.info('All settings, and a completion on trial: run `fim-lsp doctor` in a shell.')
end

local function check_status(client)
  local status = require('fim_lsp.status').of(client.id)
  local message = status.message ~= '' and status.message or status.state
  local budget = require('fim_lsp.status').budget(client.id)
  if status.state == 'error' then
    vim.health.error('The server says: ' .. message, 'Run `fim-lsp doctor` in a shell.')
  elseif message then
    vim.health.ok('The server says: ' .. message)
  end
  if budget then
    vim.health.info(("Of the minute's tokens %s are used"):format(budget))
  end
  local shown = require('fim_lsp.status').message(client.id)
  if shown then
    vim.health.info('Its last message: ' .. shown)
  end
  vim.health.info('Log: ' .. vim.lsp.log.get_filename())
end

local function check_client(client)
  vim.health.ok(('Attached to %d buffers'):format(vim.tbl_count(client.attached_buffers)))
  if client:supports_method('textDocument/inlineCompletion') then
    vim.health.ok('It offers inline completion')
  else
    vim.health.error('It offers no inline completion', "Is `cmd` really fim-lsp's?")
  end
  for bufnr in pairs(client.attached_buffers) do
    if not vim.lsp.inline_completion.is_enabled({ bufnr = bufnr }) then
      local name = vim.fn.fnamemodify(vim.api.nvim_buf_get_name(bufnr), ':~:.')
      vim.health.warn('Ghost text is off in ' .. name, 'Switch it on with :FimToggle in that buffer.')
    end
  end
  check_settings(client)
  check_status(client)
end

local function check_clients()
  vim.health.start('In this Neovim')
  if not vim.lsp.is_enabled('fim_lsp') then
    vim.health.error('The server is not enabled', "Call require('fim_lsp').setup() in init.lua.")
    return
  end
  local clients = vim.lsp.get_clients({ name = 'fim_lsp' })
  if #clients == 0 then
    vim.health.warn('No buffer has the server yet', 'Open a file whose filetype Neovim knows.')
  end
  vim.iter(clients):each(check_client)
end

local function check_rivals()
  for _, client in ipairs(vim.lsp.get_clients({ method = 'textDocument/inlineCompletion' })) do
    if client.name ~= 'fim_lsp' then
      vim.health.warn(
        client.name .. ' offers ghost text too',
        'Neovim shows one suggestion at a time; <M-]> goes to the next one.'
      )
    end
  end
  local tab = vim.fn.maparg('<Tab>', 'i', false, true)
  if tab.lhs and not vim.startswith(tab.desc or '', 'fim-lsp: ') then
    vim.health.info("<Tab> is not fim-lsp's: " .. (tab.desc or tab.rhs or 'a Lua function'))
  end
end

function M.check()
  if check_neovim() then
    check_program()
    check_clients()
    check_rivals()
  end
end

return M
