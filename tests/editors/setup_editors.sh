#!/usr/bin/env bash
# Current editors for the end-to-end tests, on a Debian 12 (amd64) that has only old ones or none.
#
#   bash setup_editors.sh [nvim] [hx] [emacs] [llama] [tmux]        (default: nvim hx emacs tmux)
#
# They land in $EDITORS_PREFIX/bin (default: ~/.cache/fim-lsp/editors/bin). No root is needed and the
# machine's own packages, libc and apt state stay as they are:
#   1. a private apt root with an empty dpkg status resolves the whole closure from a newer suite and
#      checks signatures and hashes as apt always does;
#   2. every package is unpacked below the prefix with dpkg-deb;
#   3. the suite's own patchelf points the executables at the libraries below the prefix. (Running them
#      through ld.so instead would break Neovim's screen: it starts /proc/self/exe again.) There is no
#      LD_LIBRARY_PATH, so what an editor starts, such as the language server, runs on the host's libc.
# A second call with the same script and components, or fewer, returns at once.
#
# EDITORS_SUITE   the Debian suite to take (forky)
# EDITORS_MIRROR  where from (the mirror that apt on this machine is set up with)
set -euo pipefail

prefix=${EDITORS_PREFIX:-$HOME/.cache/fim-lsp/editors}
suite=${EDITORS_SUITE:-forky}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
libs=usr/lib/x86_64-linux-gnu
me=$(readlink -f "${BASH_SOURCE[0]}")

log() { printf '[editors %3d s] %s\n' "$SECONDS" "$*" >&2; }
die() { printf 'setup_editors.sh: %s\n' "$*" >&2; exit 1; }
want() { [[ " ${components[*]} " == *" $1 "* ]]; }

packages_of() {
  case $1 in
    nvim) echo neovim ;;
    hx) echo hx ;;
    emacs) echo emacs-nox elpa-lsp-mode ;;
    llama) echo llama.cpp-tools ;;
    tmux) echo tmux ;;
    *) die "unknown component '$1': choose from nvim, hx, emacs, llama, tmux." ;;
  esac
}

# The mirror as apt names it; --print-uris answers even where the package lists are empty.
host_mirror() {
  local uris
  uris=$(apt-get --print-uris update 2>/dev/null | sed -n "s#^'\(.*/\)dists/.*#\1#p" | sort -u)
  grep -m1 '/debian/$' <<<"$uris" || grep -m1 . <<<"$uris" ||
    die "apt knows no mirror: set EDITORS_MIRROR to a Debian mirror's address."
}

# Prints each program's version; fails where one does not start or lacks what the tests need.
check() (
  home=$(mktemp -d)
  trap 'rm -rf "$home"' EXIT
  export HOME=$home XDG_CONFIG_HOME=$home XDG_STATE_HOME=$home XDG_DATA_HOME=$home XDG_CACHE_HOME=$home
  export TERM=xterm-256color LC_ALL=C.UTF-8
  for c in "${components[@]}"; do "check_$c" "$1/bin" || exit 1; done
)
check_nvim() {
  "$1/nvim" --clean -i NONE --headless +'lua
    if not vim.lsp.inline_completion then vim.cmd("cquit") end
    vim.treesitter.get_string_parser("local x", "lua"):parse()
    io.stdout:write("nvim ", tostring(vim.version()), "\n")' +qa!
}
check_hx() { "$1/hx" --version; }
check_tmux() { "$1/tmux" -V; }
check_llama() { "$1/llama-server" --version; }
check_emacs() {
  "$1/emacs" --batch -l site-start --eval '(progn (require (quote lsp-mode)) (require (quote lsp-inline-completion))
    (princ (format "emacs %s with lsp-mode\n" emacs-version)))'
}

private_apt() {
  local a=$1 mirror=$2
  mkdir -p "$a"/etc/{apt.conf.d,preferences.d} "$a"/state/lists/partial "$a"/cache/archives/partial
  : >"$a/status"
  echo "deb [signed-by=$keyring] $mirror $suite main" >"$a/etc/sources.list"
  apt-config dump | grep '^Acquire::' >"$a/apt.conf" || true # the machine's proxies and certificates
  cat >>"$a/apt.conf" <<END
Dir::Etc "$a/etc";
Dir::Etc::netrc "/etc/apt/auth.conf";
Dir::Etc::netrcparts "/etc/apt/auth.conf.d";
Dir::State "$a/state";
Dir::State::status "$a/status";
Dir::Cache "$a/cache";
Dir::Log "$a";
APT::Architecture "amd64";
APT::Architectures { "amd64"; };
APT::Install-Recommends "false";
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Check-Valid-Until "false"; # a mirror that is some days behind is still signed
Acquire::Retries "4";
Binary::apt-get::APT::Keep-Downloaded-Packages "true";
END
}

download() {
  local a=$1
  shift
  export APT_CONFIG=$a/apt.conf DEBIAN_FRONTEND=noninteractive
  apt-get -qq update
  apt-get -qq -y --download-only --no-install-recommends install "$@" >/dev/null
  unset APT_CONFIG
}

# In dependency closures, but nothing here uses it while it runs.
unused=' debconf wget install-info binutils binutils-common binutils-x86-64-linux-gnu libbinutils
 libc6-dev libc-dev-bin linux-libc-dev libasan8 libtsan2 libhwasan0 liblsan0 libubsan1 libgcc-15-dev
 emacs-el libc-gconv-modules-extra openssl-provider-legacy gcc-15-base gcc-16-base '

unpack() {
  local deb name
  for deb in "$1"/cache/archives/*.deb; do
    name=${deb##*/}
    name=${name%%_*}
    [[ ${unused//$'\n'/ } == *" $name "* ]] || dpkg-deb -x "$deb" "$2"
  done
  (cd "$2" && rm -rf var usr/share/{doc,man,locale,lintian,icons,pixmaps,perl5,gdb,applications,metainfo})
}

patchelf() { "$root/$libs/ld-linux-x86-64.so.2" --library-path "$root/$libs" "$root/usr/bin/patchelf" "$@"; }
rpath=$prefix/root/$libs:$prefix/root/$libs/llama
adopt() { # PROGRAM: make it use the libraries of the prefix
  patchelf --set-interpreter "$prefix/root/$libs/ld-linux-x86-64.so.2" \
    --force-rpath --set-rpath "$rpath" "$(readlink -f "$root/$1")"
}
link() { ln -s "../root/$1" "$work/bin/${1##*/}"; }

adopt_llama() {
  local so
  adopt usr/bin/llama-server
  # A RUNPATH of their own would switch the executable's RPATH off.
  for so in "$root/$libs"/libllama*.so.*.* "$root/$libs"/libmtmd.so.*.* "$root/$libs"/llama/*.so; do
    patchelf --force-rpath --set-rpath "$rpath" "$so"
  done
  # ggml looks for its CPU back ends beside the executable.
  for so in "$root/$libs"/ggml/*/libggml-cpu-*.so; do
    ln -sf "../lib/x86_64-linux-gnu/${so#"$root/$libs"/}" "$root/usr/bin/"
  done
  link usr/bin/llama-server
}

adopt_emacs() {
  local share=usr/share/emacs version dump path dir
  adopt usr/bin/emacs-nox
  version=$(basename "$(ls -d "$root/$share"/[0-9]*)")
  dump=$(cd "$root" && ls usr/lib*/emacs/"$version"/x86_64-linux-gnu/emacs-*.pdmp | tail -1)
  path=$(cd "$root/$share" && echo site-lisp && ls -d site-lisp/elpa-src/* && find "$version/lisp" -type d | sort)
  path=$(for dir in $path; do printf '%s:' "$prefix/root/$share/$dir"; done)
  # Read before a person's init file. There is no compiler in here, so nothing may compile natively;
  # and an installed package's autoloads are there.
  cat >"$root/$share/site-lisp/site-start.el" <<END
(setq native-comp-jit-compilation nil native-comp-enable-subr-trampolines nil)
(load "lsp-mode-autoloads" t t)
END
  cat >"$work/bin/emacs" <<END
#!/bin/sh
export EMACSLOADPATH='${path%:}' EMACSPATH='$prefix/root/${dump%/*}'
export EMACSDATA='$prefix/root/$share/$version/etc' EMACSDOC='$prefix/root/$share/$version/etc'
exec '$prefix/root/usr/bin/emacs-nox' --dump-file='$prefix/root/$dump' "\$@"
END
  chmod +x "$work/bin/emacs"
}

# As Debian does when it installs them: uncompiled, they take seconds to load. Needs Emacs in its place.
compile_elisp() (
  cd "$prefix/root/usr/share/emacs/site-lisp/elpa-src"
  "$prefix/bin/emacs" --batch -l site-start --eval '(setq byte-compile-warnings nil)' \
    -f batch-byte-compile {dash,f,ht,lv,s,spinner}-*/*.el markdown-mode-*/markdown-mode.el \
    lsp-mode-*/lsp-{protocol,mode,inline-completion,completion}.el >/dev/null 2>&1
)

build() {
  local packages=(patchelf) c
  for c in "${components[@]}"; do packages+=($(packages_of "$c")); done
  work=$prefix.new root=$prefix.new/root
  rm -rf "$work"
  mkdir -p "$work/bin" "$root"
  log "downloading ${packages[*]} from $suite"
  private_apt "$work/apt" "${EDITORS_MIRROR:-$(host_mirror)}"
  download "$work/apt" "${packages[@]}"
  unpack "$work/apt" "$root"
  rm -rf "$work/apt"
  if want nvim; then adopt usr/bin/nvim && link usr/bin/nvim; fi
  if want tmux; then adopt usr/bin/tmux && link usr/bin/tmux; fi
  if want hx; then adopt usr/lib/hx/hx && link usr/bin/hx; fi
  if want llama; then adopt_llama; fi
  if want emacs; then adopt_emacs; fi
  rm -rf "$prefix"
  mv "$work" "$prefix"
  if want emacs; then compile_elisp; fi
}

[ "$(uname -m)" = x86_64 ] || die "only amd64 is supported: install the editors yourself and put them on the PATH."
components=("$@")
[ $# -gt 0 ] || components=(nvim hx emacs tmux)
for c in "${components[@]}"; do packages_of "$c" >/dev/null; done

mkdir -p "$(dirname "$prefix")"
exec 9>"$prefix.lock" # two runs at once: the second waits and finds everything there
flock 9

version="$(sha256sum <"$me" | cut -c1-16) $suite $prefix"
have=()
if [ -f "$prefix/stamp" ] && [ "$(head -1 "$prefix/stamp")" = "$version" ]; then
  read -ra have < <(tail -1 "$prefix/stamp")
fi
missing=0
for c in "${components[@]}"; do [[ " ${have[*]} " == *" $c "* ]] || missing=1; done
if [ $missing = 0 ] && check "$prefix" >/dev/null 2>&1; then
  log "already in $prefix/bin: ${have[*]}"
  exit 0
fi
components=($(printf '%s\n' "${components[@]}" "${have[@]}" | sort -u))
build
check "$prefix" || die "an editor does not start (see above): remove $prefix and try again."
printf '%s\n%s\n' "$version" "${components[*]}" >"$prefix/stamp"
log "ready in $prefix/bin ($(du -sm "$prefix" | cut -f1) MB)"
