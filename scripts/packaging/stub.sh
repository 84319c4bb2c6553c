#!/bin/sh
# landropic @VERSION@ for @TARGET@: this script, then a gzipped tar of the runtime and the program. The
# first start unpacks it into the user's cache; later starts check what lies there and become it.
# POSIX sh. Needs tar gzip tail ls mv mkdir chmod rm uname printf mktemp mkfifo find: any base system.
# A later start forks twice at most, since on a slow machine that is what it takes its time for.
set -u
id=@ID@ skip=@SKIP@ sum=@SUM@ megabytes=@MEGABYTES@
files='@FILES@'
want='@WANT@' # "size name," of each file, by name
self=$0
case $self in */*) ;; *) [ -f "./$self" ] && self=./$self || self=$(command -v -- "$self") ;; esac
case $self in /*) ;; *) self=$PWD/${self#./} ;; esac

# die EXIT-CODE WHAT [HINT]
die() {
  printf 'landropic: %s\n' "$2" >&2
  [ -z "${3:-}" ] || printf 'hint: %s\n' "$3" >&2
  exit "$1"
}

# ready DIR: DIR is this user's alone, nobody else can put another in its place, and it holds every file,
# whole, ours and closed to others. Forks once; the contents were checked when they were unpacked. Leaves
# the environment as text in $variables. To cut such a text by a pattern takes a shell 40 ms.
ready() {
  [ -d "$1" ] && [ ! -L "$1" ] && [ -x "$1/deno" ] || return 1 # not -x on a noexec mount
  # The folder that is ours (-O) is the one that ls looks at, whatever happens to its path meanwhile.
  # shellcheck disable=SC2086
  found=$(export -p; printf '='
    cd -P -- "$1" 2>/dev/null && [ -O . ] && LC_ALL=C exec ls -dln -- . .. $files 2>/dev/null) || return 1
  variables=$found
  set -f
  IFS==
  # shellcheck disable=SC2086
  set -- $found
  shift $(($# - 1)) # no row has this character
  unset IFS
  # shellcheck disable=SC2086
  set -- $1
  set +f
  ours=${3:-} sizes=
  while [ $# -ge 9 ]; do # mode, links, owner, group, size, month, day, time or year, name
    [ "$3" = "$ours" ] || return 1
    case $9:$1 in
      *+) return 1 ;; # an access control list
      .:drwx------*) ;;
      ..:drwx?-??-?*) ;;
      [!.]*:-????-??-*) sizes="$sizes$5 $9," ;;
      *) return 1 ;;
    esac
    shift 9
  done
  [ "$sizes" = "$want" ]
}

# unpack DIR: puts every file into DIR, each by a rename, so that any number of first starts may do it at
# once and none ever sees half a file. Prints why it can't.
unpack() (
  umask 077
  new=
  trap '[ -z "$new" ] || rm -rf -- "$new"' EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  fail() { printf '%s\n' "$1"; exit 1; }
  mkdir -p -- "$1" 2>/dev/null && chmod 700 -- "${1%/*}" "$1" 2>/dev/null &&
    new=$(mktemp -d "${1%/*}/.new.XXXXXXXX" 2>/dev/null) || fail 'it cannot be written to'
  if ! problem=$(LC_ALL=C; export LC_ALL; exec 2>&1
    tail -c +"$skip" -- "$self" | gzip -dc | (cd -- "$new" && tar -xomf - && true >.used)); then
    case $problem in
      *'No space'* | *quota*) fail "there is no room for $megabytes MB" ;;
      *) fail "unpacking fails there: ${problem%%
*}" ;;
    esac
  fi
  # shellcheck disable=SC2086
  (cd -- "$new" && mv -f -- .used $files "$1/") 2>/dev/null || fail 'files cannot be renamed there'
)

# verify: whether this file is whole and for this system; once.
verified=
verify() {
  [ -z "$verified" ] || return 0
  system="$(uname -s) $(uname -m)"
  [ "$system" = '@UNAME@' ] || die 1 "this file is for @TARGET@, and this system is $system"
  [ -e '@LOADER@' ] || die 1 'this system has no glibc' 'glibc 2.34 or later is needed; musl will not do'
  [ -r "$self" ] || die 1 "Cannot read $self"
  if command -v sha256sum >/dev/null 2>&1; then got=$(tail -c +"$skip" -- "$self" | sha256sum)
  elif command -v shasum >/dev/null 2>&1; then got=$(tail -c +"$skip" -- "$self" | shasum -a 256)
  elif command -v openssl >/dev/null 2>&1; then got=$(tail -c +"$skip" -- "$self" | openssl dgst -sha256 -r)
  elif tail -c +"$skip" -- "$self" | gzip -t 2>/dev/null; then got=$sum # a CRC alone
  else got=; fi
  [ "${got%% *}" = "$sum" ] || die 1 "$self is damaged: its checksum does not match" 'download it again'
  verified=1
}

# running DIR: whether a process runs from DIR, as far as can be told.
running() {
  if [ -e /proc/self/exe ]; then
    for exe in /proc/[0-9]*/exe; do [ "$exe" -ef "$1/deno" ] && return 0; done 2>/dev/null
    return 1
  fi
  commands=$(ps -A -o args= 2>/dev/null) || return 0
  case $commands in *"$1/deno "*) return 0 ;; *) return 1 ;; esac
}

# tidy BASE: removes versions that nobody started for two weeks, and what interrupted starts left. Looks
# only if there is more than the version that starts, and after a look in vain only an hour later, where
# touch(1) can say what time that is: .look has the time of the next look, .used that of this start.
tidy() {
  base=$1
  set --
  for old in "$base"/???????????????? "$base"/.new.* "$base"/.old.*; do
    [ -d "$old" ] || continue
    case ${old##*/} in
      "$id" | *[!A-Za-z0-9.]*) ;;
      .*) set -- "$@" "${old##*/}" ;;
      *[!0-9a-f]*) ;;
      *) set -- "$@" "${old##*/}/.used" ;;
    esac
  done
  [ $# -gt 0 ] || return 0
  [ -n "$verified" ] || [ ! "$base/.look" -nt "$base/$id/.used" ] || return 0
  found=$(cd -- "$base" && exec find "$@" -prune \
    \( -name .used -mtime +14 -o -name '.new.*' -mmin +60 -o -name '.old.*' \) 2>/dev/null)
  if [ -z "$found" ]; then
    touch -d '+1 hour' -- "$base/.look" 2>/dev/null || rm -f -- "$base/.look"
    return 0
  fi
  for old in $found; do
    case $old in
      */.used)
        old=$base/${old%/.used}
        ! running "$old" || continue
        # Out of the way first: nobody may find half of it.
        mv -- "$old" "$base/.old.$$" 2>/dev/null || continue
        old=$base/.old.$$ ;;
      *) old=$base/$old ;;
    esac
    rm -rf -- "$old"
  done
}

# scrub TEXT: unsets each variable that TEXT names and the runtime, but no user of this program, would mean.
scrub() {
  set -f
  for word in $1; do
    case $word in
      DENO_* | NODE_* | OTEL_DENO*)
        unset "${word%%[!ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_]*}" ;;
    esac
  done
  set +f
}

# launch DIR ARGUMENT...: becomes the program. The same process, so signals, the exit code, the terminal
# and the standard streams need no forwarding.
launch() {
  dir=$1
  shift
  # The runtime's own settings are not the user's to make here, and its cache is not the user's Deno's.
  scrub "$variables"
  DENO_DIR=$dir/.deno DENO_NO_UPDATE_CHECK=1 DENO_NO_PROMPT=1
  export DENO_DIR DENO_NO_UPDATE_CHECK DENO_NO_PROMPT
  # Deno reads $HOME/.npmrc whatever its flags, and stops if it is not to its liking. The program's first
  # module gives it its HOME back.
  unset LANDROPIC_CALLER_HOME
  if [ -n "${HOME+x}" ]; then LANDROPIC_CALLER_HOME=$HOME; export LANDROPIC_CALLER_HOME; fi
  HOME=$dir
  export HOME
  # Where memory comes in larger pages, and is kept for what is next, a run that finds little to do has a third
  # fewer page faults. Not for what stays: it would take some more memory. The first module takes this away
  # again too.
  case "${GLIBC_TUNABLES+set}: $* " in
    :*' sync '*) GLIBC_TUNABLES=@TUNABLES@; export GLIBC_TUNABLES ;;
  esac
  set -- "$dir/main.mjs" "$@"
  if [ -n "$alive" ]; then exec "$dir/deno" run @FLAGS@ "$@" 9>"$alive"; fi
  exec "$dir/deno" run @FLAGS@ "$@"
}

alive='' refused='' variables=''
cache=${XDG_CACHE_HOME:-}
case $cache in /*) ;; *) cache=${HOME:+$HOME/.cache} ;; esac
base=$cache/landropic
case $cache in
  /*)
    # Nothing is left in someone else's home, as under a sudo that keeps HOME.
    if ! ready "$base/$id"; then
      near=$base
      while [ ! -d "$near" ] && [ -n "$near" ]; do near=${near%/*}; done
      if [ ! -O "${near:-/}" ]; then refused="$base: it is not this user's"
      elif verify; why=$(unpack "$base/$id"); then
        ready "$base/$id" || refused="$base: it forbids programs, or is open to others"
      else refused="$base: $why"; fi
    fi
    if [ -z "$refused" ]; then
      { true >"$base/$id/.used"; } 2>/dev/null
      tidy "$base"
      launch "$base/$id" "$@"
    fi ;;
  *) refused='there is no home folder' ;;
esac

# No usable cache: a private folder for this one run. A helper holds the read end of a fifo whose write
# end the program inherits, and removes the folder when the last holder is gone, however it ended.
verify
first=$refused
for top in "${TMPDIR:-/tmp}" /tmp /var/tmp /dev/shm; do
  if ! own=$(umask 077; mktemp -d "$top/landropic.XXXXXXXX" 2>/dev/null); then
    refused="$refused; $top: it cannot be written to"
    continue
  fi
  trap 'rm -rf -- "$own"' EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  if why=$(unpack "$own/app"); then
    why='it forbids programs, or is open to others'
    if ready "$own/app" && mkfifo -m 600 "$own/alive"; then
      (trap '' HUP INT TERM QUIT; cd / && read -r _ <"$own/alive"; rm -rf -- "$own") </dev/null >/dev/null 2>&1 &
      alive=$own/alive
      trap - EXIT HUP INT TERM
      [ ! -t 2 ] || printf 'landropic: unpacked for this run alone (%s)\nhint: %s\n' "$first" \
        'set XDG_CACHE_HOME to a folder of your own, and later starts are quick' >&2
      launch "$own/app" "$@"
    fi
  fi
  refused="$refused; $top: $why"
  rm -rf -- "$own"
  trap - EXIT HUP INT TERM
done
die 14 "Cannot unpack: $refused" \
  "set XDG_CACHE_HOME to a folder with $megabytes MB free from which programs may be started"
