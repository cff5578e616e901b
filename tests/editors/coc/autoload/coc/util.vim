function! coc#util#path_replace_patterns() abort
  return {}
endfunction

function! coc#util#vim_info() abort
  return {'version': '0.5.0', 'mode': mode(), 'pid': getpid(), 'progpath': v:progpath,
      \ 'columns': &columns, 'lines': &lines, 'cmdheight': &cmdheight, 'guicursor': &guicursor,
      \ 'completeOpt': &completeopt, 'runtimepath': &runtimepath, 'pumevent': v:true,
      \ 'isVim': v:false, 'isCygwin': v:false, 'isMacvim': v:false, 'isiTerm': v:false,
      \ 'floating': v:false, 'textprop': v:false, 'locationlist': v:false, 'config': {},
      \ 'filetypeMap': {}, 'disabledSources': {}, 'vimCommands': [], 'watchExtensions': [],
      \ 'globalExtensions': [], 'extensionRoot': $HOME .. '/coc'}
endfunction

function! coc#util#get_bufoptions(bufnr) abort
  return {'bufname': bufname(a:bufnr), 'fullpath': fnamemodify(bufname(a:bufnr), ':p'),
      \ 'filetype': getbufvar(a:bufnr, '&filetype'), 'buftype': getbufvar(a:bufnr, '&buftype'),
      \ 'iskeyword': getbufvar(a:bufnr, '&iskeyword'), 'eol': 1, 'size': 0, 'variables': {},
      \ 'changedtick': getbufvar(a:bufnr, 'changedtick'), 'winid': bufwinid(a:bufnr),
      \ 'previewwindow': v:false}
endfunction

function! coc#util#get_complete_option() abort
  let before = strpart(getline('.'), 0, col('.') - 1)
  let input = matchstr(before, '\k*$')
  return {'bufnr': bufnr(), 'filepath': expand('%:p'), 'filetype': &filetype, 'line': getline('.'),
      \ 'linenr': line('.'), 'colnr': col('.'), 'col': strlen(before) - strlen(input),
      \ 'input': input, 'word': matchstr(getline('.'), '^\k\+', col('.') - 1), 'synname': '',
      \ 'blacklist': [], 'changedtick': b:changedtick}
endfunction

" Positions count UTF-16 units, as the protocol does.
function! coc#util#cursor() abort
  return [line('.') - 1, strutf16len(strpart(getline('.'), 0, col('.') - 1))]
endfunction

function! coc#util#jumpTo(line, character) abort
  call cursor(a:line + 1, byteidx(getline(a:line + 1), a:character, v:true) + 1)
endfunction

function! coc#util#setline(line, text) abort
  call setline(a:line, a:text)
endfunction

function! coc#util#echo_messages(highlight, lines) abort
  for line in a:lines
    echomsg line
  endfor
endfunction

function! coc#util#do_autocmd(name) abort
endfunction

function! coc#util#remote_fns(name) abort
  return []
endfunction
