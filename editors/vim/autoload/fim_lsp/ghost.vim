vim9script
# Ghost text: asked for behind the cursor, drawn as virtual text, put into the text by a key.

import autoload './server.vim'

export const TYPE = 'fim-lsp'
const WAIT_MS = 30
const TRIES_FOR_OTHERS = 20

var items: list<dict<any>> = []
var index = 0
var drawn: list<number> = [] # the buffer and the line that have it
var pending = 0
var timer = 0

def Place(): list<number>
  return [bufnr(), line('.'), col('.'), b:changedtick]
enddef

def IsOn(): bool
  return server.Knows(bufnr()) && !get(b:, 'fim_lsp_off', false)
enddef

# Hold what is shown against what was typed, at once, and ask anew a moment later.
export def Follow()
  timer_stop(timer)
  if !IsOn() || pumvisible()
    Clear()
    return
  endif
  Draw()
  timer = timer_start(WAIT_MS, (_) => Ask())
enddef

export def Leave()
  timer_stop(timer)
  if pending > 0
    server.Notify('$/cancelRequest', {id: pending})
    pending = 0
  endif
  Clear()
enddef

def Ask()
  if mode() == 'i' && IsOn()
    pending = Send(2, (found) => Show(found, 0))
  endif
enddef

def Send(kind: number, Found: func(list<dict<any>>)): number
  listener_flush(bufnr())
  var place = Place()
  return server.Request('textDocument/inlineCompletion', {
    textDocument: server.Document(bufnr()),
    position: {line: line('.') - 1, character: col('.') - 1},
    context: {triggerKind: kind},
  }, (reply) => {
    # what was asked for another place is stale: its own request follows
    if mode() == 'i' && place == Place() && type(get(reply, 'result')) == v:t_dict
      pending = 0
      Found(reply.result.items)
    endif
  })
enddef

def Show(found: list<dict<any>>, at: number)
  items = found
  index = at
  Draw()
enddef

# What of the shown item is still to be typed; empty where it no longer fits the text.
def Rest(): string
  if empty(items)
    return ''
  endif
  var start = items[index].range.start
  var typed = strpart(getline('.'), start.character, col('.') - 1 - start.character)
  var fits = start.line == line('.') - 1 && start.character <= col('.') - 1
    && strpart(items[index].insertText, 0, len(typed)) ==# typed
  return fits ? strpart(items[index].insertText, len(typed)) : ''
enddef

def Undraw()
  if !empty(drawn) && bufloaded(drawn[0])
    # a new line may have moved it
    var last = getbufinfo(drawn[0])[0].linecount
    prop_remove({type: TYPE, bufnr: drawn[0], all: true}, min([max([1, drawn[1] - 2]), last]), min([drawn[1] + 2, last]))
  endif
  drawn = []
enddef

# Undo brings back a line as it was, with the ghost text that it had then.
export def Sweep()
  prop_remove({type: TYPE, all: true}, max([1, line("'[") - 1]), min([line("']") + 1, line('$')]))
enddef

def Clear()
  items = []
  Undraw()
enddef

def Draw()
  Undraw()
  var rest = Rest()
  if empty(rest)
    items = []
    return
  endif
  drawn = [bufnr(), line('.')]
  var counted = len(items) > 1 ? $'  ({index + 1}/{len(items)})' : ''
  var [first; more] = split(substitute(rest, "\t", repeat(' ', &tabstop), 'g') .. counted, "\n", true)
  if !empty(first)
    prop_add(line('.'), col('.'), {type: TYPE, text: first})
  endif
  for text in more
    prop_add(line('.'), 0, {type: TYPE, text_align: 'below', text: empty(text) ? ' ' : text})
  endfor
enddef

# For an <expr> mapping: the text may not be changed while it is evaluated.
export def AcceptKey(part: string, otherwise: string): string
  var accept = $"\<C-g>u\<Cmd>call fim_lsp#ghost#Accept('{part}')\<CR>" # an undo step of its own
  return empty(Rest()) ? otherwise : accept
enddef

export def Accept(part: string)
  var rest = Rest()
  if empty(rest)
    return
  endif
  var item = items[index]
  var text = rest
  if part == 'word'
    text = matchstr(rest, '^\s*\(\k\+\|[^[:blank:][:keyword:]]\+\)')
    text = empty(text) ? rest : text
  elseif part == 'line'
    text = matchstr(rest, '^\n*[^\n]*')
  endif
  var column = col('.') - 1
  Undraw() # or undo would bring it back with the line
  Insert(text, text == rest ? max([item.range.end.character, column]) : column)
  if text != rest
    # at the end of a line the server says whether more of them are wanted
    var here = {line: line('.') - 1, character: col('.') - 1}
    var left = strpart(rest, len(text))
    items = left[0] == "\n" ? [] : [{insertText: left, range: {start: here, end: here}}]
    index = 0
    return
  endif
  Clear()
  if has_key(item, 'command')
    server.Request('workspace/executeCommand', {
      command: item.command.command, arguments: get(item.command, 'arguments', [])}, Ignore)
  endif
enddef

def Ignore(_: dict<any>)
enddef

# Put text at the cursor in the place of what stands up to the column `end`.
def Insert(text: string, end: number)
  var [row, line] = [line('.'), getline('.')]
  var lines = split(strpart(line, 0, col('.') - 1) .. text, "\n", true)
  var column = len(lines[-1]) + 1
  lines[-1] ..= strpart(line, end)
  setline(row, lines[0])
  append(row, lines[1 :])
  cursor(row + len(lines) - 1, column)
enddef

export def NextKey(count: number, otherwise: string): string
  return IsOn() ? $"\<Cmd>call fim_lsp#ghost#Next({count})\<CR>" : otherwise
enddef

# Show another suggestion; where there is one alone, ask for others first.
export def Next(count: number, tries: number = TRIES_FOR_OTHERS)
  if len(items) > 1
    Show(items, (index + count + len(items)) % len(items))
    return
  endif
  timer_stop(timer)
  var place = Place()
  # they come one by one: ask again until there is more than one
  Send(1, (found) => {
    var shown = empty(items) ? '' : items[index].insertText
    if len(found) > 1
      var at = indexof(found, (_, one) => one.insertText ==# shown)
      Show(found, empty(shown) ? 0 : (at + count + len(found)) % len(found))
    elseif !empty(found)
      Show(found, 0)
      timer_start(150, (_) => {
        if tries > 0 && place == Place()
          Next(count, tries - 1)
        endif
      })
    endif
  })
enddef

# Switch ghost text off, or on again, in one buffer.
export def Toggle()
  b:fim_lsp_off = !get(b:, 'fim_lsp_off', false)
  Clear()
  redrawstatus!
  echo $'fim-lsp is {b:fim_lsp_off ? "off" : "on"} in this buffer'
enddef
