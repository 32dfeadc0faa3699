# Sourced by quickstart.sh and test.sh: installs what packages.txt lists and is not there yet, with apt.

need() { # the packages of packages.txt that are not installed
  grep -v '^#' packages.txt | while read -r package; do
    [ -z "$package" ] && continue
    dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q 'ok installed' || echo "$package"
  done
}

install_packages() {
  if ! command -v apt-get >/dev/null 2>&1; then
    echo "This script installs packages with apt, and there is no apt here. Install what these Debian packages hold:"
    grep -v '^#' packages.txt | tr '\n' ' '
    echo
    echo "Then run it again with ASSAY_SKIP_INSTALL=1."
    [ "${ASSAY_SKIP_INSTALL:-0}" = 1 ] || exit 1
    return 0
  fi
  local missing
  missing=$(need)
  [ -z "$missing" ] && return 0
  local sudo=""
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null 2>&1 || { echo "These packages are missing and sudo is not there: $missing"; exit 1; }
    sudo="sudo"
  fi
  echo "Installing: $(echo "$missing" | tr '\n' ' ')"
  $sudo apt-get update -qq
  # shellcheck disable=SC2086
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
}
