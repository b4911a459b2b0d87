#!/bin/bash
# Measures an earlier state of the program beside the present one: builds REF in
# a work tree of its own, which goes again, and hands it to "unionfs bench" as
# one more target. Words behind REF are the bench's flags.
#
#   bench/compare.sh v1.2 --workload 'find-*' --repeat 9
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
ref=${1:-}
if [ -z "$ref" ]; then
	echo "compare: say what to compare with: a tag, a branch or a commit" >&2
	exit 2
fi
shift
commit=$(git -C "$here" rev-parse --verify --quiet "$ref^{commit}") || {
	echo "compare: git knows no commit $ref" >&2
	exit 2
}

scratch=$(mktemp -d "${TMPDIR:-/tmp}/unionfs-compare.XXXXXX")
clean_up() {
	git -C "$here" worktree remove --force "$scratch/tree" 2>/dev/null || true
	rm -rf --one-file-system "$scratch"
	git -C "$here" worktree prune
}
trap clean_up EXIT
trap 'exit 130' INT TERM

git -C "$here" worktree add --quiet --detach "$scratch/tree" "$commit"
(
	cd "$scratch/tree"
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$(git describe --tags --always)" -o "$scratch/unionfs" ./cmd/unionfs
)

# The working tree's program under its own name would be the target "unionfs",
# which an ordinary user doesn't have: so both are named here.
"$here/bin/unionfs" bench --target before --target now --base before \
	--ours "before=$scratch/unionfs" --ours "now=$here/bin/unionfs" "$@"
