vim9script
# What a person can ask of the server: `:FimWhy` and its likes, each one command of the server.

import autoload './ghost.vim'
import autoload './server.vim'

export def Create()
  command! FimToggle ghost.Toggle()
  command! FimWhy Run('fim.why', {}, Show)
  command! FimStatus Run('fim.status', {}, Tell)
  command! FimToggleLanguage Run('fim.toggleLanguage', {}, Tell)
  command! FimForget Run('fim.clearMemory', {}, Tell)
  command! -nargs=? FimSnooze Run('fim.snooze', empty(<q-args>) ? {} : {minutes: str2nr(<q-args>)}, Tell)
  command! -nargs=? FimModel ChooseModel(<q-args>)
enddef

def Run(command: string, arguments: dict<any>, Done: func(string))
  if !server.IsReady()
    server.Warn('there is no server here: see :help fim-lsp-trouble')
    return
  endif
  var sent = extendnew({show: false, uri: server.Document(bufnr()).uri}, arguments)
  server.Request('workspace/executeCommand', {command: command, arguments: [sent]}, (reply) => {
    if has_key(reply, 'error')
      server.Warn(reply.error.message)
    else
      Done(reply.result)
    endif
  })
enddef

def Tell(text: string)
  redraw
  echo substitute(trim(text), '\.\?\n', '; ', 'g')
enddef

# A window of its own; `q` closes it.
def Show(text: string)
  var lines = split(trim(text), "\n")
  var rows = lines->mapnew((_, line) => max([1, (strdisplaywidth(line) + &columns - 1) / &columns]))->reduce((a, b) => a + b)
  noautocmd botright new # the server is not to read it
  execute $'resize {min([rows, &lines / 2])}'
  setlocal buftype=nofile bufhidden=wipe noswapfile nobuflisted wrap linebreak
  setline(1, lines)
  setlocal nomodifiable
  nnoremap <buffer> <silent> q <Cmd>close<CR>
enddef

def ChooseModel(name: string)
  if !empty(name)
    Run('fim.chooseModel', {model: name}, Tell)
    return
  endif
  Run('fim.chooseModel', {}, (text) => {
    var models = split(text, "\n")
    if len(models) == 1 && stridx(models[0], ' ') >= 0
      Tell(text) # there is no list, and this says why
      return
    endif
    var lines = ['fim-lsp: which model?'] + mapnew(models, (at, model) => $'{at + 1}. {model}')
    var chosen = inputlist(lines)
    if chosen > 0 && chosen <= len(models)
      Run('fim.chooseModel', {model: models[chosen - 1]}, Tell)
    endif
  })
enddef
