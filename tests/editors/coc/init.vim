" What npm's package of coc.nvim lacks: its half in Vim script, as far as completions need it. What is
" asked, shown and put into the text is decided by the half that the package holds, in Node.
set noswapfile shadafile=NONE
filetype plugin on
let &runtimepath = expand('<sfile>:p:h') .. ',' .. &runtimepath
inoremap <silent> <Plug>(coc-menu) <C-r>=coc#_complete()<CR>

function! s:tell(...) abort
  call call('rpcnotify', [g:coc_channel, 'CocAutocmd'] + a:000)
endfunction

function! s:change() abort
  let before = strpart(getline('.'), 0, col('.') - 1)
  return {'lnum': line('.'), 'col': col('.'), 'pre': before, 'changedtick': b:changedtick}
endfunction

augroup coc
  autocmd BufEnter * call s:tell('BufEnter', bufnr())
  autocmd InsertEnter,InsertLeave * call s:tell(expand('<aevent>'), bufnr())
  autocmd InsertCharPre * call s:tell('InsertCharPre', v:char)
  autocmd TextChangedI * call s:tell('TextChangedI', bufnr(), s:change())
  autocmd TextChangedP * call s:tell('TextChangedP', bufnr(), s:change())
  autocmd CursorMovedI * call s:tell('CursorMovedI', bufnr(), [line('.'), col('.')])
  autocmd CompleteChanged * call s:tell('MenuPopupChanged', copy(v:event))
  autocmd CompleteDone * call s:tell('CompleteDone', v:completed_item)
  autocmd VimEnter * call rpcnotify(g:coc_channel, 'VimEnter')
augroup END

let g:coc_channel = jobstart([$COC_NODE, $COC_SERVER], {'rpc': v:true, 'env': {
    \ 'COC_VIMCONFIG': $HOME .. '/.vim', 'COC_DATA_HOME': $HOME .. '/coc', 'TMPDIR': $HOME}})
