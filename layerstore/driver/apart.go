package driver

// Apart runs do, which uses the mount, so that a kill of this process ends it
// also while it waits for an answer of its own (fs.Server.Apart). What do opens
// it must close.
func Apart(m Mount, do func() error) error {
	if s, ok := m.(*served); ok {
		return s.Server.Apart(do)
	}
	return do()
}
