# unionfs: "make" alone lists what can be made.

PREFIX  ?= /usr/local
DESTDIR ?=

VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS  := -s -w -X main.version=$(VERSION)
FUZZTIME ?= 10s
AS_ROOT  := $(filter 0,$(shell id -u))

# What the tests, the demo and the soak need of Debian. gcc is for the race
# detector alone; the program itself is built without C.
TEST_PACKAGES := fuse3 mmdebstrap fuse-overlayfs attr acl libcap2-bin uidmap \
	git sqlite3 e2fsprogs util-linux mount gcc libc6-dev ca-certificates \
	skopeo docker-registry umoci podman buildah libarchive-tools python3 \
	btrfs-progs zfs-fuse busybox-static slirp4netns rclone docker.io runc crun procps
DEMO_PACKAGES := fuse3 mmdebstrap attr uidmap
SOAK_PACKAGES := fuse3 git sqlite3 postgresql postgresql-contrib stress-ng dbench fio
BENCH_PACKAGES := fuse3 mmdebstrap fuse-overlayfs unionfs-fuse podman crun dbench git sqlite3 util-linux mount

# Tests really run and really mount: nothing of an earlier run is believed. The slowest
# package takes minutes under the race detector, on two processors with others beside it;
# a busier machine has all the time that it needs.
GOTEST := UNIONFS_BIN=$(CURDIR)/bin/unionfs go test -count=1 -timeout 30m
# Tests start themselves again as other processes, and the race detector lets
# each sleep for a second at its end unless told otherwise (GORACE).
RACE := GORACE=atexit_sleep_ms=0
# What mounts or speaks to the kernel, tested under every kind of user.
PORTABLE := ./cmd/... ./fs/... ./whiteout/... ./layerstore/... ./runner/... ./volumes/...

# What measures memory can't do so under the race detector, whose own grows.
PLAIN_ONLY := TestMemoryFallsBack

# fs/union's tests on layers of any owner, with marks in trusted attributes.
UNION_ROOT := TestMarksInEveryForm|TestForeignForms|TestWhiteoutsWhereNeeded|TestRmdir|TestRemovedDirectory|TestFourGenerations|TestStrangeLayers|TestGenerations|TestRecords|TestACLMode|TestRemoveAbsentACL|TestImmutable(WithoutName)?|TestIndexIsUsed|TestIndexIsNotBelieved|TestIndexKnowsMarks|TestSquashKeepsOwners

# layerstore's tests with owners of all kinds, other programs' archives, and
# file systems that only root can mount.
LAYER_ROOT := TestEverythingOnDisk|TestEverythingComesBack|TestPackDiff|TestPackOf(Our|Kernel|OneID)Union|TestArchivesOfOthers|TestUmociUnpacksOurs|TestPodmanUnpacksOurs|TestLayersOfBuildah|TestAgreesWithUmoci|TestBtrfs|TestZFS(Busy|Unmounted)?|TestInUserNamespace|TestApply(OnTop)?|TestBases|TestOverlayUsersOwn|TestMountedElsewhere|TestLayersAreReadOnce

# runner/sandbox's tests with cgroups, which an ordinary user has only where
# they were delegated, and with devices.
GROUP_ROOT := TestGroup(Stats|Kill|Freeze|Limits|OutOfMemory|Left)|TestDevice(s|Program)InKernel|TestSetuidWithoutNewPrivileges|TestCapabilitiesOfUser|TestDeviceOfHost|TestBindDeep|TestIDMappedBind|TestOwnUserNamespace|TestOutOfMemory|TestProcessLimitAndStats|TestGroupsAreSwept|TestKillWithoutPIDNamespace

# cmd/unionfs' tests with daemons of other programs, which only root can start.
DAEMON_ROOT := TestVolumeServe(Dockerd|Podman)

# Tests over io_uring, which only the machine's root can switch on.
URING_ROOT := TestOverUring|TestUringWaiters|TestKilledOverUring

# Tests that ask the kernel's overlayfs or fuse-overlayfs for a second opinion,
# drop the kernel's caches, or change owners freely need the machine's own root:
# test-root runs them. Whoever adds one that fails under another user with
# "needed in CI" puts its name here.
ROOT_ONLY := TestAgainstKernel|TestSuiteCached|TestReadsFuseOverlayfs|TestFuseOverlayfsReadsOurs|TestSuiteOnPlain|TestSuiteOnKernel|TestKernelAgainstItself|TestKernelSequences|TestSequencesFindBugs|TestRandom|TestFullDisk|$(UNION_ROOT)|$(LAYER_ROOT)|$(GROUP_ROOT)|$(DAEMON_ROOT)|$(URING_ROOT)|$(PLAIN_ONLY)
# These need a root, that of a user namespace will do.
ANY_ROOT := TestKernelHonoursOurMarks|TestKernelXattrWhiteouts|TestWeReadTheKernelsMarks|TestRootMount|TestMountOfCaller|TestJoinNetwork|TestJoinProcesses|TestEveryStep(OfMonitor)?Fails|TestStartGivenUp|TestKilledMonitors

.DEFAULT_GOAL := help

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## bin/unionfs, static, and its link bin/fuse-overlayfs
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/unionfs ./cmd/unionfs
	@ln -sf unionfs bin/fuse-overlayfs

.PHONY: deps
deps: ## the Debian packages that the tests need
	@.ci/packages $(TEST_PACKAGES)

.PHONY: deps-demo
deps-demo:
	@.ci/packages $(DEMO_PACKAGES)

.PHONY: deps-soak
deps-soak: ## the Debian packages that the soak needs
	@.ci/packages $(SOAK_PACKAGES)

.PHONY: demo
demo: build deps-demo ## a Debian root file system under unionfs, used for real
	bench/demo.sh

.PHONY: test
test: deps lint build ## everything that is checked before a change goes in
	$(MAKE) --no-print-directory $(if $(AS_ROOT),test-root test-namespace test-user,test-plain test-namespace)
	@echo "make test: all tests passed"

.PHONY: test-root
test-root: ## the tests as root, with the race detector
	$(RACE) $(GOTEST) -race -skip '^($(PLAIN_ONLY))$$' ./...
	$(GOTEST) -run '^($(PLAIN_ONLY))$$' ./fs

.PHONY: test-plain
test-plain: ## the tests as who you are
	$(GOTEST) ./...

.PHONY: test-namespace
test-namespace: ## the tests as root of a user namespace
	$(GOTEST) -exec $(CURDIR)/.ci/as-namespace-root -skip '^($(ROOT_ONLY))$$' $(PORTABLE)

.PHONY: test-user
test-user: ## the tests as an ordinary user (run by root)
	$(GOTEST) -exec $(CURDIR)/.ci/as-user -skip '^($(ROOT_ONLY)|$(ANY_ROOT))$$' $(PORTABLE)

.PHONY: soak
soak: build deps-soak ## git, go, sqlite, postgres, stress-ng, dbench and fio in a mount
	bench/soak.sh

.PHONY: lint
lint: ## gofmt, go vet, staticcheck
	@unformatted=$$(gofmt -l $$(git ls-files '*.go' 2>/dev/null || find . -name '*.go')); \
		if [ -n "$$unformatted" ]; then echo "not formatted (make fmt): $$unformatted" >&2; exit 1; fi
	go vet ./...
	go vet -tags man ./cmd/unionfs
	go tool staticcheck ./...

.PHONY: fmt
fmt: ## format the sources
	gofmt -w $$(git ls-files '*.go' 2>/dev/null || find . -name '*.go')

.PHONY: deps-bench
deps-bench: ## the Debian packages that the bench can use
	@.ci/packages $(BENCH_PACKAGES)

# What the bench is told: BENCH='--workload find-* --repeat 9'.
BENCH ?= --size 0.5 --repeat 3

.PHONY: bench
bench: build $(if $(AS_ROOT),deps-bench) ## all workloads on all unions; the report is bin/bench.html (BENCH: flags)
	bin/unionfs bench --html bin/bench.html $(BENCH)

.PHONY: bench-compare
bench-compare: build ## the same on an earlier state and on this one (REF: tag or commit)
	bench/compare.sh '$(REF)' --html bin/bench-compare.html $(BENCH)

.PHONY: microbench
microbench: ## the benchmarks of Go packages
	go test -run '^$$' -bench . -benchmem ./...

.PHONY: fuzz
fuzz: ## each fuzzer for FUZZTIME (10s)
	@grep -ro --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' . | while IFS=: read -r file func; do \
		go test -run '^$$' -fuzz "^$${func#func }\$$" -fuzztime $(FUZZTIME) "$$(dirname "$$file")" || exit 1; \
	done

.PHONY: man
man: ## the manual pages, in bin/man
	mkdir -p bin/man
	go run -tags man -ldflags '$(LDFLAGS)' ./cmd/unionfs man bin/man

.PHONY: install
install: build man ## program and manual pages, below DESTDIR and PREFIX
	install -D -m 755 bin/unionfs $(DESTDIR)$(PREFIX)/bin/unionfs
	install -d $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 644 bin/man/*.1 $(DESTDIR)$(PREFIX)/share/man/man1

.PHONY: install-drop-in
install-drop-in: install ## the same, and a link that takes fuse-overlayfs' place
	ln -sf unionfs $(DESTDIR)$(PREFIX)/bin/fuse-overlayfs

.PHONY: clean
clean: ## remove what was built
	rm -rf bin
