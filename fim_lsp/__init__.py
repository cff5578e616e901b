"""fim-lsp: ghost text from a fill-in-the-middle model, in any editor that speaks LSP."""

__version__ = "0.1.0"
