# shellcheck shell=bash
# Unpack packages of Debian into a folder; sourced by scripts/setup and scripts/servers.
#
# Nothing is installed on the system. The packages come from the mirror that apt on this machine
# already uses, or from $DEBIAN_MIRROR.

apt_of() { # FOLDER ARGUMENT...: run apt-get with its own configuration in FOLDER/.apt
  local apt=$1/.apt
  apt-get -qq -o "Dir::State=$apt" -o "Dir::State::lists=$apt/lists" -o "Dir::State::status=$apt/status" \
    -o "Dir::Cache=$apt/cache" -o "Dir::Etc::sourcelist=$apt/sources.list" \
    -o "Dir::Etc::sourceparts=$apt/parts" -o APT::Sandbox::User=root "${@:2}" >&2
}

# The status file is empty, so that a folder gets all dependencies, the C library included. A list
# of packages is resolved by itself: servers that conflict can be unpacked into the same folder.
unpack_debian() { # FOLDER SUITE PACKAGES...: each argument is a list of packages
  local root=$1 suite=$2 apt=$1/.apt mirror packages package
  mirror=${DEBIAN_MIRROR:-$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -m1 '/debian/*$')} || return 1
  rm -rf "$root"
  mkdir -p "$apt"/{lists/partial,cache/archives/partial,parts}
  printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n' "$mirror" "$suite" >"$apt/sources.list"
  : >"$apt/status"
  apt_of "$root" update || return 1
  for packages in "${@:3}"; do
    # shellcheck disable=SC2086
    apt_of "$root" install --yes --no-install-recommends --download-only $packages || return 1
  done
  for package in "$apt"/cache/archives/*.deb; do dpkg -x "$package" "$root" || return 1; done
  # NAME_VERSION_ARCHITECTURE.deb of each
  (cd "$apt/cache/archives" && ls -- *.deb) >"$root/.versions"
  rm -rf "$apt"
}
