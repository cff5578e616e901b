-- What a person can ask of the server: `:FimWhy` and its likes, each one command of the server.
local M = {}

local function server()
  return vim.lsp.get_clients({ name = 'fim_lsp', bufnr = 0 })[1] or vim.lsp.get_clients({ name = 'fim_lsp' })[1]
end

--- Run one of the server's commands; `done` gets the text that it answers with.
local function run(command, arguments, done)
  local client = server()
  if not client then
    vim.notify('fim-lsp has no server here: see :checkhealth fim_lsp', vim.log.levels.WARN)
    return
  end
  local sent = vim.tbl_extend('keep', arguments, { show = false, uri = vim.uri_from_bufnr(0) })
  client:request('workspace/executeCommand', { command = command, arguments = { sent } }, function(err, text)
    if err then
      vim.notify('fim-lsp: ' .. err.message, vim.log.levels.WARN)
    else
      done(text)
    end
  end)
end

--- How many rows of the screen the lines take.
local function rows(lines)
  local count = 0
  for _, line in ipairs(lines) do
    count = count + math.max(1, math.ceil(vim.fn.strdisplaywidth(line) / vim.o.columns))
  end
  return count
end

--- Show a text in a window of its own; `q` closes it.
local function show(text)
  local bufnr = vim.api.nvim_create_buf(false, true)
  local lines = vim.split(vim.trim(text), '\n')
  vim.api.nvim_buf_set_lines(bufnr, 0, -1, false, lines)
  vim.bo[bufnr].modifiable = false
  vim.bo[bufnr].bufhidden = 'wipe'
  vim.cmd('botright ' .. math.min(rows(lines), math.floor(vim.o.lines / 2)) .. 'split')
  vim.api.nvim_win_set_buf(0, bufnr)
  vim.wo.wrap, vim.wo.linebreak = true, true -- what to do stands at the end of a line
  vim.keymap.set('n', 'q', '<Cmd>close<CR>', { buffer = bufnr, desc = 'fim-lsp: close' })
end

local function tell(text)
  require('fim_lsp.status').tell((text:gsub('%.?\n', '; ')), vim.log.levels.INFO, '…')
end

local function choose_model(name)
  if name ~= '' then
    run('fim.chooseModel', { model = name }, tell)
    return
  end
  run('fim.chooseModel', {}, function(text)
    local models = vim.split(text, '\n')
    if #models == 1 and models[1]:find(' ') then
      tell(text) -- there is no list, and this says why
      return
    end
    vim.ui.select(models, { prompt = 'fim-lsp: which model?' }, function(chosen)
      if chosen then
        run('fim.chooseModel', { model = chosen }, tell)
      end
    end)
  end)
end

local function snooze(minutes)
  run('fim.snooze', minutes == '' and {} or { minutes = tonumber(minutes) or minutes }, tell)
end

local COMMANDS = {
  FimWhy = {
    'say why the last requests showed what they did, or nothing',
    function()
      run('fim.why', {}, show)
    end,
  },
  FimStatus = {
    'say what the server is doing',
    function()
      run('fim.status', {}, tell)
    end,
  },
  FimSnooze = { 'suggest nothing for some minutes (10); 0 ends it', snooze, '?' },
  FimToggleLanguage = {
    "switch this buffer's language off or on, in all buffers",
    function()
      run('fim.toggleLanguage', {}, tell)
    end,
  },
  FimForget = {
    'forget what the model has said, so that it is asked anew',
    function()
      run('fim.clearMemory', {}, tell)
    end,
  },
  FimModel = { 'go on with another model', choose_model, '?' },
}

function M.create()
  for name, command in pairs(COMMANDS) do
    vim.api.nvim_create_user_command(name, function(given)
      command[2](given.args)
    end, { desc = 'fim-lsp: ' .. command[1], nargs = command[3] or 0 })
  end
end

return M
