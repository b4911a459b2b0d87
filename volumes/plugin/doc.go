// Package plugin speaks Docker's volume plugin protocol, from both sides.
//
// # Nouns
//
// A plugin is another program that keeps volumes and answers HTTP requests with
// JSON, mostly on a unix socket. Its address is found by its name: as a socket,
// or in a .spec or .json file, in directories that everybody knows. A call is
// one request and its reply. The server offers any volumes.Driver to dockerd,
// podman and whoever else speaks the protocol.
//
// # Laws of the client
//
//   - A name, of a plugin or of a volume, never leads out of a directory.
//   - A call is sent again only when nothing of it was sent (nobody listens
//     yet), or when it only reads. The waiting has an end.
//   - A Mount whose answer was lost is taken back by an Unmount of the same id,
//     never repeated: there are plugins to which the same id twice is an error.
//   - What comes back is bounded in length, and checked before it is used: a
//     mountpoint is an absolute path of a directory that is there.
//   - An error says which plugin, which call, which volume, and where the plugin
//     was found or looked for.
//
// # Laws of the server
//
//   - Whoever may write to the socket can name volumes and the options that were
//     allowed, never paths.
//   - The socket appears with its final owner and mode, under its name at once,
//     in place of a dead one and never of a live one.
//   - A change that a request began is finished, whether its sender waits or not.
//
// There are no locks here but those of net/http; drivers order what they do.
package plugin
