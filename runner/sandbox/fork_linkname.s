// Functions without a body (fork.go takes them from the runtime) need an
// assembler file in their package.
