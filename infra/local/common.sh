# Where the local stack lives and how its processes are started and stopped. Sourced by `up` and `down`.
# shellcheck shell=bash

cd "$(dirname "${BASH_SOURCE[0]}")/../.."

: "${LOCAL_DIR:=.local}" "${AWS_PORT:=4566}" "${GRAPH_PORT:=$((AWS_PORT + 1))}"
venvs=.local # shared by all local stacks
mkdir -p "$LOCAL_DIR" "$venvs"
LOCAL_DIR=$(cd "$LOCAL_DIR" && pwd)

say() { printf '==> %s\n' "$*"; }
die() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# Creates .local/NAME from infra/requirements-NAME.txt, or brings it up to date.
venv() {
  local name=$1 dir=$venvs/$1 wanted=infra/requirements-$1.txt
  cmp -s "$wanted" "$dir/installed.txt" && return
  say "installing $wanted into $dir (once)"
  python3 -m venv --clear "$dir"
  "$dir/bin/pip" install --quiet --disable-pip-version-check --requirement "$wanted" || die "could not install $wanted"
  cp "$wanted" "$dir/installed.txt"
}

# Whether the program NAME that we started is still running: its pid is alive and still is that program.
running() {
  local name=$1 pid
  pid=$(cat "$LOCAL_DIR/$name.pid" 2>/dev/null) || return 1
  [[ $(ps -o args= -p "$pid" 2>/dev/null) == *"$name"* ]]
}

# Stops NAME if it was started on another port than PORT.
keep_on() {
  local name=$1 port=$2
  [[ $(cat "$LOCAL_DIR/$name.port" 2>/dev/null) == "$port" ]] || stop "$name"
}

# Starts COMMAND as NAME in a process group of its own, so that what it starts in turn ends with it.
# It gets a clean environment: local AWS hands its own on to the functions.
start() {
  local name=$1 port=$2
  shift 2
  if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
    die "port $port is taken by another program; set AWS_PORT or GRAPH_PORT, or stop it"
  fi
  setsid env -i PATH="$PATH" HOME="$LOCAL_DIR" "$@" >"$LOCAL_DIR/$name.log" 2>&1 </dev/null 9>&- &
  echo $! >"$LOCAL_DIR/$name.pid"
  echo "$port" >"$LOCAL_DIR/$name.port"
  for _ in {1..150}; do
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && return
    # Not `running`: until the program has taken its place, the new process goes by our own name.
    kill -0 $! 2>/dev/null || break
    sleep 0.2
  done
  tail -n 20 "$LOCAL_DIR/$name.log" >&2
  stop "$name"
  die "$name did not start; its log is $LOCAL_DIR/$name.log"
}

# Stops NAME and everything that it started. Nothing happens if it is not running.
stop() {
  local name=$1 pid
  if running "$name"; then
    pid=$(cat "$LOCAL_DIR/$name.pid")
    kill -TERM -- "-$pid" 2>/dev/null || true
    for _ in {1..50}; do
      kill -0 -- "-$pid" 2>/dev/null || break
      sleep 0.1
    done
    kill -KILL -- "-$pid" 2>/dev/null || true
    say "stopped $name"
  fi
  rm -f "$LOCAL_DIR/$name.pid" "$LOCAL_DIR/$name.port"
}
