-- The server's entry for `vim.lsp.enable('fim_lsp')`. It names no filetypes: every file gets it.
-- Change anything with `vim.lsp.config('fim_lsp', { … })`; see |fim-lsp-server|.
return {
  cmd = { 'fim-lsp' },
  root_markers = { '.git', '.hg', '.jj' },
  on_init = function()
    require('fim_lsp').begin()
  end,
  handlers = {
    ['window/showMessage'] = function(_, shown, ctx)
      require('fim_lsp.status').show(ctx.client_id, shown)
    end,
    ['fim/status'] = function(_, status, ctx)
      require('fim_lsp.status').set(ctx.client_id, status)
    end,
  },
}
