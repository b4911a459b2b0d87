#!/bin/bash
# A Debian root file system under a union mount, used for real: packages are
# installed and removed in it, and its layers are afterwards what they were.
#
# Root runs it as it is; an ordinary user gets a user namespace, with the ids
# that /etc/subuid grants.
#
#   DEMO_SUITE=bookworm   the Debian release
#   DEMO_MIRROR=URL       where packages come from (default: as this machine)
#   DEMO_MOUNT=COMMAND    another mount program, to compare ("fuse-overlayfs")
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
suite=${DEMO_SUITE:-bookworm}
packages=(jq sqlite3 less)

say() { printf '\n== %s\n' "$*"; }
die() {
	echo "demo: $*" >&2
	exit 1
}

# The mounts are private to the demo, and whatever happens end with it.
enter_namespaces() {
	[ -z "${DEMO_INSIDE:-}" ] || return 0
	export DEMO_INSIDE=1
	[ -r /dev/fuse ] && [ -w /dev/fuse ] ||
		die "/dev/fuse can't be opened: it needs the fuse module, and mode 666 for ordinary users"
	if [ "$(id -u)" = 0 ]; then
		exec unshare --mount --propagation private -- "$0" "$@"
	fi
	grep -q "^$(id -un):" /etc/subuid 2>/dev/null && command -v newuidmap >/dev/null ||
		die "$(id -un) has one id only, and Debian's packages have files of many owners: root can grant a range by usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $(id -un) (newuidmap is in the package uidmap)"
	exec unshare --user --map-root-user --map-auto --mount --propagation private -- "$0" "$@"
}

# The mirror that this machine uses for itself, when it is a Debian.
own_mirror() {
	apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | sed 's:/*$::' | grep '/debian$' | sort -u | head -n 1
}

# How this machine's apt reaches its mirror: proxies and certificates.
own_apt_options() {
	apt-config dump 2>/dev/null | grep -iE '^Acquire::https?::(proxy|cainfo|verify)' || true
}

make_base() {
	local base=$1
	[ ! -e "$base.done" ] || { echo "kept from an earlier run: $base"; return 0; }
	rm -rf --one-file-system "$base"
	own_apt_options >"$base.apt"
	mmdebstrap --variant=minbase --include=nano,ca-certificates --aptopt="$base.apt" "$suite" "$base" "$mirror"
	touch "$base.done"
}

# The second layer is made the way images are: as changes over the first. It
# holds what ties the system to this machine, and no documentation.
make_second() {
	mount_union "lowerdir=$base,upperdir=$second,workdir=$scratch/work2"
	echo unionfs-demo >"$union/etc/hostname"
	cp -L /etc/resolv.conf "$union/etc/resolv.conf"
	echo "deb $mirror $suite main" >"$union/etc/apt/sources.list"
	{ own_apt_options && echo 'Dpkg::Use-Pty "0";'; } >"$union/etc/apt/apt.conf.d/90demo"
	if [ -e /etc/ssl/certs/ca-certificates.crt ]; then
		cp -L /etc/ssl/certs/ca-certificates.crt "$union/etc/ssl/certs/ca-certificates.crt"
	fi
	rm -r "$union/usr/share/doc"
	unmount_union
}

mount_union() {
	${DEMO_MOUNT:-"$here/bin/unionfs" mount} -o "$1" "$union"
	mountpoint -q "$union" || die "exit status 0 and no mount"
}

unmount_union() { umount "$union"; }

# A line for everything there is to know of a layer, but for access times.
manifest() {
	(
		cd "$1"
		find . -printf '%P %y %m %U:%G %s %n %T@ %C@ %l\n' | sort
		find . -type f -print0 | sort -z | xargs -0 sha256sum
		getfattr --absolute-names -R -P -h -d -m - -e hex . 2>/dev/null | sort
	)
}

# /proc and a few devices, as far as the namespace lets us.
furnish() {
	mount -t proc proc "$union/proc" 2>/dev/null || mount --rbind /proc "$union/proc"
	mount -t tmpfs -o mode=755 tmpfs "$union/dev"
	for node in null zero full random urandom tty; do
		touch "$union/dev/$node"
		mount --bind "/dev/$node" "$union/dev/$node"
	done
	ln -s /proc/self/fd "$union/dev/fd"
	mkdir "$union/dev/pts"
	mount -t devpts -o newinstance,ptmxmode=666 devpts "$union/dev/pts"
	ln -s pts/ptmx "$union/dev/ptmx"
}

unfurnish() {
	umount -R "$union/dev"
	umount -R -l "$union/proc"
}

inside() {
	env DEBIAN_FRONTEND=noninteractive LC_ALL=C HOME=/root \
		PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin chroot "$union" "$@"
}

use_it() {
	inside apt-get update -q
	inside apt-get install -q -y --no-install-recommends "${packages[@]}"
	inside jq -n '{answer: (6 * 7)}'
	inside sqlite3 /root/demo.db 'create table t(n); insert into t values (1), (2); select sum(n) from t; pragma integrity_check;'
	inside less --version | head -n 1
	inside apt-get purge -q -y nano
	[ ! -e "$union/usr/bin/nano" ] || die "nano is still there"
	inside dpkg --audit
}

count() { wc -l; }

# xattrs_named counts the paths in upper that carry a mark, in either form.
xattrs_named() {
	getfattr -R -P -h -d -m "^(trusted|user)\.overlay\.$1\$" "$upper" 2>/dev/null | grep -c '^# file:' || true
}

show_upper() {
	printf '%8d files, %s\n' "$(find "$upper" -type f | count)" "$(du -sh --apparent-size "$upper" | cut -f 1)"
	printf '%8d directories\n' "$(find "$upper" -type d | count)"
	printf '%8d symbolic links\n' "$(find "$upper" -type l | count)"
	printf '%8d whiteouts\n' "$(find "$upper" \( -type c -o -name '.wh.*' ! -name '.wh..wh.*' \) -print | count)"
	printf '%8d opaque directories\n' "$(xattrs_named opaque)"
	printf '%8d copied up without data\n' "$(xattrs_named metacopy)"
	printf '%8d renamed\n' "$(xattrs_named redirect)"
}

clean_up() {
	local status=$?
	umount -R -l "$union" 2>/dev/null || true
	rm -rf --one-file-system "$scratch"
	[ $status = 0 ] || echo "demo: FAILED" >&2
	exit $status
}

enter_namespaces "$@"
mirror=${DEMO_MIRROR:-$(own_mirror || true)}
mirror=${mirror:-http://deb.debian.org/debian}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/unionfs-demo
scratch=$(mktemp -d "${TMPDIR:-/tmp}/unionfs-demo.XXXXXX")
union=$scratch/union upper=$scratch/upper second=$scratch/second
base=$cache/$suite-$(tr -s ' ' '-' </proc/self/uid_map | sha256sum | cut -c 1-8)
trap clean_up EXIT
trap 'exit 130' INT TERM
mkdir -p "$cache" "$union" "$upper" "$second" "$scratch/work" "$scratch/work2"
chmod 755 "$scratch"

say "layer 1: Debian $suite from $mirror"
make_base "$base"
say "layer 2: host name, name servers, package sources; no documentation"
make_second
say "what the layers are"
manifest "$base" >"$scratch/base.before"
manifest "$second" >"$scratch/second.before"
wc -l "$scratch"/*.before
say "mount: layers read-only below, an empty directory on top"
mount_union "lowerdir=$second:$base,upperdir=$upper,workdir=$scratch/work"
grep " $union " /proc/self/mountinfo
furnish
say "install ${packages[*]}, use them, remove nano"
use_it
unfurnish
unmount_union
say "what stands in the upper"
show_upper
say "mount again: all is as it was left"
mount_union "lowerdir=$second:$base,upperdir=$upper,workdir=$scratch/work"
inside sqlite3 /root/demo.db 'select count(*) from t'
inside dpkg -s jq | grep Status
unmount_union
say "the layers are what they were"
manifest "$base" | cmp - "$scratch/base.before"
manifest "$second" | cmp - "$scratch/second.before"
echo "no byte, mode, owner, time or attribute of any layer has changed"
say "demo: OK"
