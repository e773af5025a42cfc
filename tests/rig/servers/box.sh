#!/usr/bin/env bash
# Run a program in a folder of unpacked packages as if these were the whole system.
#
# usage: box.sh ROOT FOLDER PROGRAM [ARGUMENT...]
#
# ROOT is not changed: what is written lands in memory and ends with the program, as do all its
# processes. FOLDER is /conf inside; its subfolder `box` is the mount point.
set -euo pipefail
if [[ -z ${BOX_USER-} ]]; then
  BOX_USER=$(id -u)
  # Each box has its own ID for "mail": the kernel limits inotify per user, and above the limit,
  # Dovecot does not announce new mail.
  BOX_MAIL=$((20000 + $$ % 10000))
  export BOX_USER BOX_MAIL
  options=(--mount --pid --fork --kill-child)
  if [[ $BOX_USER != 0 ]]; then options+=(--map-root-user); fi
  exec unshare "${options[@]}" -- bash "$0" "$@"
fi

root=$1 folder=$2 box=$2/box
shift 2
mount -t tmpfs tmpfs "$box"
mkdir "$box"/{upper,work,root}
mount -t overlay overlay -o "lowerdir=$root,upperdir=$box/upper,workdir=$box/work" "$box/root"
cd "$box/root"
mkdir -p conf dev proc tmp var/spool root
chmod 1777 tmp
mount --bind "$folder" conf
mount --rbind /dev dev
mount -t proc proc proc
# The packages' own scripts, which create the users, did not run.
cat >etc/passwd <<PASSWD
root:x:0:0::/root:/bin/sh
mail:x:$BOX_MAIL:$BOX_MAIL::/var/mail:/bin/sh
courier:x:$BOX_MAIL:$BOX_MAIL::/var/lib/courier:/bin/sh
dovecot:x:100:100::/run:/bin/sh
dovenull:x:101:101::/run:/bin/sh
user:x:$BOX_MAIL:$BOX_MAIL::/var/spool/user:/bin/sh
PASSWD
cat >etc/group <<GROUP
root:x:0:
mail:x:$BOX_MAIL:
courier:x:$BOX_MAIL:
dovecot:x:100:
dovenull:x:101:
GROUP
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C
enter=(chroot .)
if [[ $BOX_USER != 0 ]]; then
  # The namespace of another user than root has only one user. Servers that change theirs would
  # fail, so they start as "mail".
  enter=(unshare --user --map-user="$BOX_MAIL" --map-group="$BOX_MAIL" --root=. --)
fi
# Not "exec": a server that changes its user would no longer end with its parent, but this does,
# and the kernel ends all processes of the namespace with it.
"${enter[@]}" "$@"
