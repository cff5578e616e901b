let g:coc#_context = {}

function! coc#_watch(name) abort
endfunction

function! coc#_hide() abort
endfunction

function! coc#_do_complete(start, items, preselect) abort
  let g:coc#_context = {'start': a:start, 'candidates': a:items}
  call feedkeys("\<Plug>(coc-menu)", 'i')
endfunction

function! coc#_complete() abort
  call complete(g:coc#_context.start + 1, g:coc#_context.candidates)
  return ''
endfunction
