#!/bin/bash
# Other people's programs, long and hard, in a union mount. Each workload says
# ok or FAIL with its log; the script fails when one does. Run by root.
#
#   SOAK_SECONDS=60       how long each timed workload runs
#   SOAK_ONLY="git fio"   some of: git go sqlite postgres stress dbench fio
#   SOAK_DIR=DIR          where to work; needs some 5 GB (default: a new one)
#   SOAK_MOUNT=COMMAND    another mount program, to compare ("fuse-overlayfs")
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
seconds=${SOAK_SECONDS:-60}
workloads=${SOAK_ONLY:-git go sqlite postgres stress dbench fio}

if [ "$(id -u)" != 0 ]; then
	echo "soak: run this as root: postgres needs a user of its own" >&2
	exit 1
fi
# The mounts are private to the soak, and whatever happens end with it.
if [ -z "${SOAK_INSIDE:-}" ]; then
	SOAK_INSIDE=1 exec unshare --mount --propagation private -- "$0" "$@"
fi

scratch=${SOAK_DIR:-$(mktemp -d "${TMPDIR:-/tmp}/unionfs-soak.XXXXXX")}
lower=$scratch/lower union=$scratch/union upper=$scratch/upper logs=$scratch/logs
goroot=$(go env GOROOT)

# The lower layer: the Go tree, and the same sources as a git repository.
prepare() {
	mkdir -p "$lower" "$union" "$upper" "$scratch/work" "$logs"
	chmod 755 "$scratch"
	cp -a "$goroot/." "$lower/go"
	cp -a "$goroot/src" "$lower/repo"
	cd "$lower/repo"
	rm -rf .git
	git init -q .
	git config gc.auto 0
	for dir in cmd crypto .; do
		git add "$dir"
		commit "$dir"
	done
	cd /
}

commit() { git -c user.name=soak -c user.email=soak@localhost commit -q -m "$1"; }

git_clean() { [ -z "$(git status --porcelain)" ]; }

run_git() {
	git clone -q --no-hardlinks "$union/repo" "$union/clone"
	cd "$union/clone"
	git fsck --full --strict
	git checkout -q HEAD~1
	git checkout -q -
	git_clean
	# The repository of the lower layer itself, changed in place.
	cd "$union/repo"
	git mv fmt fmt-renamed
	echo change >>fmt-renamed/print.go
	git add -A
	commit change
	git gc -q --prune=now
	git fsck --full --strict
	git_clean
}

# The compiler, its sources and its cache all live in the mount.
run_go() {
	mkdir -p "$union/cache" "$union/tmp"
	env GOROOT="$union/go" GOCACHE="$union/cache" GOTMPDIR="$union/tmp" GOFLAGS= \
		"$union/go/bin/go" build std
	env GOROOT="$union/go" GOCACHE="$union/cache" GOTMPDIR="$union/tmp" GOFLAGS= \
		"$union/go/bin/go" vet fmt os
}

sqlite_writer() {
	local db=$1 name=$2
	for round in $(seq 40); do
		sqlite3 -cmd '.timeout 60000' "$db" "
			begin immediate;
			with recursive n(i) as (select 1 union all select i + 1 from n where i < 2000)
				insert into t select '$name', $round, i, hex(randomblob(50)) from n;
			delete from t where writer = '$name' and i % 3 = $round % 3;
			commit;"
	done
}

run_sqlite() {
	for mode in delete wal; do
		local db=$union/$mode.db
		sqlite3 "$db" "pragma journal_mode = $mode; create table t(writer, round, i, v); create index x on t(v);"
		sqlite_writer "$db" a &
		local other=$!
		sqlite_writer "$db" b
		wait "$other"
		sqlite3 "$db" 'vacuum;'
		[ "$(sqlite3 "$db" 'pragma integrity_check;')" = ok ]
	done
}

# A server with fsync on, killed without warning in the middle of its work.
run_postgres() {
	local bin data=$union/pg
	bin=$(find /usr/lib/postgresql -name pg_ctl -printf '%h\n' | sort -V | tail -n 1)
	install -d -o postgres -m 700 "$data"
	as_postgres() { runuser -u postgres -- env PGHOST="$data" PATH="$bin:$PATH" "$@"; }
	local start=(pg_ctl -w -D "$data" -l "$data/log" -o "-c listen_addresses= -c unix_socket_directories=$data" start)
	cd /
	as_postgres initdb -k -D "$data"
	as_postgres "${start[@]}"
	as_postgres pgbench -i -s 10 postgres
	as_postgres pgbench -c 4 -T "$seconds" postgres
	as_postgres pg_ctl -D "$data" -m immediate stop
	as_postgres "${start[@]}"
	as_postgres pgbench -c 4 -T 5 postgres
	as_postgres pg_dump -f "$data/dump.sql" postgres
	as_postgres pg_ctl -D "$data" -m fast stop
	as_postgres pg_checksums -c -D "$data"
}

# All stressors of the class, one after the other, for as long as there is
# time. Status 2 is a stressor that failed; 3 and 4 tell of those that this
# machine lacks the means for, such as binderfs.
run_stress() {
	local all each
	all=$(stress-ng --class 'filesystem?' 2>&1 | sed 's/.*://' | wc -w)
	each=$((seconds / (all + 1) + 1))
	mkdir "$union/stress"
	local status=0
	stress-ng --class filesystem --sequential 1 --timeout "${each}s" --verify --metrics-brief \
		--temp-path "$union/stress" || status=$?
	case $status in 0 | 3 | 4) ;; *) return 1 ;; esac
}

run_dbench() {
	mkdir "$union/dbench"
	dbench -D "$union/dbench" -t "$seconds" 4
}

run_fio() {
	mkdir "$union/fio"
	for engine in psync mmap; do
		fio --name="$engine" --ioengine="$engine" --directory="$union/fio" --size=256m --numjobs=2 \
			--rw=randrw --bs=4k --verify=crc32c --verify_fatal=1 --verify_state_save=0 --fsync=64
	done
}

# attempt runs one workload in a shell of its own, away from the others.
attempt() {
	local name=$1 log=$logs/$1.log start=$SECONDS
	printf '%-10s ' "$name"
	# Not "if (…)": that would switch -e off inside.
	set +e
	(set -euxo pipefail && "run_$name") >"$log" 2>&1 </dev/null
	local status=$?
	set -e
	if [ $status = 0 ]; then
		echo "ok    $((SECONDS - start)) s"
	else
		echo "FAIL  $((SECONDS - start)) s, see $log"
		failed=1
	fi
}

checksum() { (cd "$lower" && find . -printf '%P %y %m %U:%G %s %n %T@ %l\n' | sort && find . -type f -print0 | sort -z | xargs -0 sha256sum) | sha256sum; }

finish() {
	local status=$?
	umount -R -l "$union" 2>/dev/null || true
	if [ $status = 0 ]; then
		rm -rf --one-file-system "$scratch"
	else
		rm -rf --one-file-system "$lower" "$upper" "$scratch/work"
		echo "soak: FAILED, logs in $logs" >&2
	fi
	exit $status
}

failed=0
trap finish EXIT
trap 'exit 130' INT TERM
prepare
before=$(checksum)
${SOAK_MOUNT:-"$here/bin/unionfs" mount} -o "lowerdir=$lower,upperdir=$upper,workdir=$scratch/work" "$union"
for name in $workloads; do
	attempt "$name"
done
umount "$union"
if [ "$(checksum)" = "$before" ]; then
	echo "lower      ok    unchanged"
else
	echo "lower      FAIL  the lower layer was changed"
	failed=1
fi
exit $failed
