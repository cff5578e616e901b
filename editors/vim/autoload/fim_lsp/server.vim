vim9script
# The server as Vim's child: its process, the buffers that it knows, and what it says by itself.

const SIGNS = {thinking: '…', limited: '⏸', offline: '⚠', error: '✗', off: ' off', snoozing: ' off'}
const LEAST_CAUSE = 34
const MOST_COMPARED = 4'000

var process: any = null_job
var is_ready = false
var versions: dict<number> = {}
var languages: dict<string> = {}
var told: dict<list<string>> = {}
var listeners: dict<number> = {}
var status: dict<any> = {}
var kept = '' # the last thing that the person alone can mend
var hides_mode = false

export def Warn(line: string)
  echohl WarningMsg
  echomsg $'fim-lsp: {line}'
  echohl None
enddef

# Vim writes "-- INSERT --" over a message at once. So the mode's name gives way until insert mode is left, or until
# what was wrong is right again; a message that came before insert mode is there once more in it.
def Keep(line: string)
  Warn(line) # for :messages
  kept = $'fim-lsp: {line}'
  ShowKept()
enddef

def ShowKept()
  if empty(kept)
    return
  endif
  if &showmode && mode() =~ '^[iR]'
    [&showmode, hides_mode] = [false, true]
  endif
  redraw # takes the mode's name away, which would come back over the message
  echohl WarningMsg
  echo Fitted(kept, v:echospace)
  echohl None
enddef

# A message says the cause, then what to do, then what the endpoint said. Vim would cut its middle out; where not all
# has room, what to do comes first.
def Fitted(text: string, room: number): string
  if strdisplaywidth(text) <= room
    return text
  endif
  var line = text->substitute(' It says: ".*$', '', '')->substitute(' (status \d\+)', '', '')
  var parts = matchlist(line, '^\(fim-lsp: .\{-}\): \(.*\)$')
  if empty(parts) || strdisplaywidth(line) <= room
    return strcharpart(line, 0, room)
  endif
  var [cause, remedy] = [parts[1], parts[2]->substitute('\(; or \|[.?]\zs \).*$', '', '')->substitute('\.$', '', '')]
  var left = max([room - strdisplaywidth($': {remedy}'), LEAST_CAUSE])
  if strdisplaywidth(cause) > left
    cause = strcharpart(cause, 0, left - 1) .. '…'
  endif
  return strcharpart($'{cause}: {remedy}', 0, room)
enddef

def ShowMode()
  if hides_mode
    [&showmode, hides_mode] = [true, false]
  endif
enddef

def Mended()
  kept = ''
  ShowMode()
  redraw
  echo ''
enddef

augroup fim_lsp_messages
  autocmd!
  autocmd InsertEnter * timer_start(0, (_) => ShowKept())
  autocmd InsertLeave * ShowMode()
augroup END

export def Start(command: list<string>, settings: dict<any>)
  if job_status(process) == 'run'
    return
  elseif executable(command[0]) == 0
    timer_start(0, (_) => Warn($"there is no '{command[0]}' on the PATH; see :help fim-lsp-trouble"))
    return
  endif
  process = job_start(command, {
    in_mode: 'lsp', out_mode: 'lsp', out_cb: Heard, err_io: 'null', exit_cb: Ended, noblock: 1})
  var folder = Project()
  Request('initialize', {
    processId: getpid(),
    clientInfo: {name: 'fim-lsp.vim', version: string(v:versionlong)},
    rootUri: folder == null ? null : Uri(folder),
    workspaceFolders: folder == null ? null : [{uri: Uri(folder), name: fnamemodify(folder, ':t')}],
    initializationOptions: {fim: settings},
    capabilities: {
      general: {positionEncodings: ['utf-8']}, # a column is a byte, as in Vim
      textDocument: {inlineCompletion: {dynamicRegistration: false}},
    },
  }, Initialized)
enddef

# The folder of the repository in which the first file lies; `.git` is a file in a worktree of its own.
def Project(): any
  var from = escape(argc() > 0 ? fnamemodify(argv(0), ':p:h') : getcwd(), ' ,') .. ';'
  var [folder, file] = [finddir('.git', from), findfile('.git', from)]
  var found = [empty(folder) ? '' : fnamemodify(folder, ':p:h:h'), empty(file) ? '' : fnamemodify(file, ':p:h')]
  var nearest = len(found[0]) > len(found[1]) ? found[0] : found[1]
  return empty(nearest) ? null : nearest
enddef

def Initialized(reply: dict<any>)
  Notify('initialized', {})
  is_ready = true
  for buffer in getbufinfo({bufloaded: 1})
    Open(buffer.bufnr)
  endfor
  if mode() == 'i' && &modified # typed before there was anybody to ask
    doautocmd <nomodeline> FimLsp User FimReady
  endif
enddef

def Ended(_: job, code: number)
  is_ready = false
  for id in values(listeners)
    listener_remove(id)
  endfor
  [versions, languages, told, listeners, status] = [{}, {}, {}, {}, {}]
  if code != 0 && !v:dying && v:exiting == null
    Warn($'the server has ended with status {code}: run fim-lsp doctor in a shell')
  endif
enddef

# Let it end by itself, as the protocol has it.
export def Stop()
  if is_ready
    is_ready = false
    ch_evalexpr(process, {method: 'shutdown'}, {timeout: 500})
    Notify('exit', {})
  endif
enddef

export def Request(method: string, params: any, Answered: func(dict<any>)): number
  var sent = ch_sendexpr(process, {method: method, params: params}, {
    callback: (_, reply) => Answered(reply)})
  return type(sent) == v:t_dict ? sent.id : 0
enddef

export def Notify(method: string, params: any)
  ch_sendexpr(process, {method: method, params: params})
enddef

def Heard(_: channel, message: dict<any>)
  var method = get(message, 'method', '')
  if method == 'fim/status'
    status = message.params
    if status.state == 'idle' && empty(status.message) && !empty(kept)
      Mended()
    endif
    redrawstatus!
  elseif method == 'window/showMessage'
    var line = substitute(message.params.message, '^fim-lsp: ', '', '')
    if message.params.type <= 2
      Keep(line)
    else
      Warn(line)
    endif
  elseif has_key(message, 'id') && !empty(method)
    # nothing that was promised; and ch_sendexpr() knows no ids that are strings
    var reply = json_encode({jsonrpc: '2.0', id: message.id, result: null})
    ch_sendraw(process, $"Content-Length: {len(reply)}\r\n\r\n{reply}")
  endif
enddef

# The state as a word for the statusline; empty in a buffer that the server does not know.
export def Word(): string
  if !has_key(versions, bufnr())
    return ''
  endif
  var used: any = get(status, 'budget_used', v:null) # null where there is no limit
  var is_much = index([v:t_number, v:t_float], type(used)) >= 0 && used >= 0.5
  var share = is_much ? $' {float2nr(used * 100.0)} %' : ''
  var sign = get(SIGNS, get(status, 'state', ''), '')
  if empty(sign) && !empty(get(status, 'message', ''))
    sign = '!' # it works, and something in the settings does not
  endif
  return 'fim' .. (get(b:, 'fim_lsp_off', false) ? ' off' : sign) .. share
enddef

export def IsReady(): bool
  return is_ready
enddef

export def Knows(buffer: number): bool
  return is_ready && has_key(versions, buffer)
enddef

export def Uri(path: string): string
  return 'file://' .. substitute(path, '[^A-Za-z0-9/._~-]', (found) => Escaped(found[0]), 'g')
enddef

def Escaped(character: string): string
  return range(len(character))->mapnew((_, at) => printf('%%%02X', char2nr(strpart(character, at, 1))))->join('')
enddef

export def Document(buffer: number): dict<any>
  var name = bufname(buffer)
  return {uri: empty(name) ? $'untitled:{buffer}' : Uri(fnamemodify(name, ':p'))}
enddef

# Tell the server of a buffer, or that its language is another one now.
export def Open(buffer: number)
  if !is_ready || !bufloaded(buffer) || !empty(getbufvar(buffer, '&buftype') .. getcmdwintype())
    return
  endif
  var language = getbufvar(buffer, '&filetype') ?? 'plaintext'
  if get(languages, buffer, '') == language
    return
  endif
  Close(buffer)
  [versions[buffer], languages[buffer]] = [1, language]
  Notify('textDocument/didOpen', {textDocument: extend(Document(buffer), {
    languageId: language, version: 1, text: Text(buffer)})})
  listeners[buffer] = listener_add(Changed, buffer)
enddef

# All of it, and noted as told. Vim keeps dos line ends out of the lines, and puts them back.
def Text(buffer: number): string
  told[buffer] = getbufline(buffer, 1, '$')
  return join(told[buffer], "\n") .. "\n"
enddef

# Vim tells the first changed line and the one below the last, but counts the latter as the buffer was
# at each change: what was deleted earlier stood above it once.
def Changed(buffer: number, start: number, end: number, added: number, changes: list<dict<any>>)
  if !Knows(buffer)
    return
  endif
  var deleted = changes->mapnew((_, change) => change.added < 0 ? -change.added : 0)->reduce((a, b) => a + b, 0)
  var first = max([start - 1, 1]) # what comes in below a line is told as if typed at its end
  var below = min([end + deleted, len(told[buffer]) + 1])
  var change: dict<any>
  if len(told[buffer]) + added == getbufinfo(buffer)[0].linecount && below > first && below + added > first
    var old = told[buffer][first - 1 : below - 2]
    var new = getbufline(buffer, first, below + added - 1)
    remove(told[buffer], first - 1, below - 2)
    extend(told[buffer], new, first - 1)
    change = Edit(first - 1, old, new)
  else
    change = {text: Text(buffer)}
  endif
  if !empty(change)
    versions[buffer] += 1
    Notify('textDocument/didChange', {
      textDocument: extend(Document(buffer), {version: versions[buffer]}), contentChanges: [change]})
  endif
enddef

# The smallest edit that makes the new lines of the old ones, which begin at `line`; none where they agree.
def Edit(line: number, old: list<string>, new: list<string>): dict<any>
  var [from, to] = [join(old, "\n") .. "\n", join(new, "\n") .. "\n"]
  if from ==# to
    return {}
  endif
  if len(from) > MOST_COMPARED || len(to) > MOST_COMPARED
    return {text: to, range: {
      start: {line: line, character: 0}, end: {line: line + len(old), character: 0}}}
  endif
  var [was, is] = [split(from, '\zs'), split(to, '\zs')]
  var shorter = min([len(was), len(is)])
  var head = 0
  while head < shorter && was[head] ==# is[head]
    ++head
  endwhile
  var tail = 0
  while tail < shorter - head && was[-1 - tail] ==# is[-1 - tail]
    ++tail
  endwhile
  if head + tail == len(was) && head > 0 && tail < len(is) - head && was[head - 1] == "\n" && is[-1 - tail] == "\n"
    [head, tail] = [head - 1, tail + 1] # new lines are told as if typed at the end of the one above
  endif
  return {text: join(slice(is, head, len(is) - tail), ''), range: {
    start: PositionIn(was, head, line), end: PositionIn(was, len(was) - tail, line)}}
enddef

def PositionIn(characters: list<string>, at: number, line: number): dict<number>
  var before = split(join(slice(characters, 0, at), ''), "\n", true)
  return {line: line + len(before) - 1, character: len(before[-1])}
enddef

export def Saved(buffer: number)
  if Knows(buffer)
    Notify('textDocument/didSave', {textDocument: Document(buffer)})
  endif
enddef

export def Close(buffer: number)
  if Forget(buffer)
    Notify('textDocument/didClose', {textDocument: Document(buffer)})
  endif
enddef

# Vim does not tell its listeners of a file that it has read again.
export def Reopen(buffer: number)
  Close(buffer)
  Open(buffer)
enddef

# The server keeps what had the old name; Vim does not know that name any more.
export def Rename(buffer: number)
  if Forget(buffer)
    Open(buffer)
  endif
enddef

def Forget(buffer: number): bool
  if !has_key(versions, buffer)
    return false
  endif
  remove(versions, buffer)
  remove(languages, buffer)
  remove(told, buffer)
  listener_remove(remove(listeners, buffer))
  return true
enddef
