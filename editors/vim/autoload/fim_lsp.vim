vim9script
# fim-lsp for Vim 9: `call fim_lsp#Setup()` in the vimrc does it all.

import autoload './fim_lsp/commands.vim'
import autoload './fim_lsp/ghost.vim'
import autoload './fim_lsp/server.vim'

const KEYS = {
  accept: '<Tab>',
  accept_word: '<M-Right>',
  accept_line: '<M-C-Right>',
  next: '<M-Down>',
  previous: '<M-Up>',
}

# `options` may hold `cmd`, `keys` and `settings`; see |fim-lsp-setup|.
export def Setup(options: dict<any> = {})
  if !has('patch-9.0.0185')
    server.Warn('ghost text needs Vim 9.0.0185 or newer')
    return
  endif
  highlight default link FimGhost Comment
  if empty(prop_type_get(ghost.TYPE))
    prop_type_add(ghost.TYPE, {highlight: 'FimGhost', override: true})
  endif
  commands.Create()
  Map(extendnew(KEYS, get(options, 'keys', {})))
  augroup FimLsp
    autocmd!
    autocmd BufEnter,FileType * server.Open(bufnr())
    autocmd BufUnload * server.Close(str2nr(expand('<abuf>')))
    autocmd BufFilePost * server.Rename(bufnr())
    autocmd FileChangedShellPost * server.Reopen(str2nr(expand('<abuf>')))
    autocmd BufWritePost * server.Saved(bufnr())
    autocmd InsertEnter,CursorMovedI,TextChangedI,TextChangedP * ghost.Follow()
    autocmd TextChanged * ghost.Sweep()
    autocmd User FimReady ghost.Follow()
    autocmd InsertLeave,BufLeave * ghost.Leave()
    autocmd VimLeavePre * server.Stop()
  augroup END
  server.Start(get(options, 'cmd', ['fim-lsp']), get(options, 'settings', {}))
enddef

def Map(keys: dict<any>)
  for [name, part] in items({accept: 'all', accept_word: 'word', accept_line: 'line'})
    MapOne(keys[name], $'fim_lsp#ghost#AcceptKey("{part}"')
  endfor
  MapOne(keys.next, 'fim_lsp#ghost#NextKey(1')
  MapOne(keys.previous, 'fim_lsp#ghost#NextKey(-1')
enddef

# The call gets one argument more: the keys to press where there is no ghost text.
def MapOne(lhs: any, call: string)
  if !empty(lhs)
    execute $'imap <silent><expr> {lhs} {call}, "{Former(lhs)}")'
  endif
enddef

# What the key did before. A mapping moves to a <Plug> name as it is, so that another plugin's <Tab>
# goes on to work where there is no ghost text.
def Former(lhs: string): string
  var plug = $'<Plug>(fim-lsp-{trim(lhs, "<>")})'
  var before = maparg(lhs, 'i', false, true)
  var is_ours = stridx(get(before, 'rhs', ''), 'fim_lsp#') >= 0
  if !empty(before) && !is_ours && get(before, 'buffer', 0) == 0
    before.lhs = plug
    before.lhsraw = eval($'"{escape(plug, "<")}"')
    mapset('i', false, filter(before, (name, _) => name != 'lhsrawalt'))
  endif
  return escape(empty(maparg(plug, 'i')) ? lhs : plug, '<')
enddef

# A word for the statusline: `set statusline+=%{fim_lsp#Status()}`.
export def Status(): string
  return server.Word()
enddef
