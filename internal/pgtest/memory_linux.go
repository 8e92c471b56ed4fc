package pgtest

import "syscall"

// inMemory is a folder that is in memory and has room for the server, or "" for
// the usual one. A database is some hundred files: to make them on a disk, and
// remove them, costs more than most tests do in them. A container often has a few
// megabytes there.
func inMemory() string {
	const folder, room = "/dev/shm", 2 << 30
	var fs syscall.Statfs_t
	if syscall.Statfs(folder, &fs) != nil || syscall.Access(folder, 7) != nil || fs.Bavail*uint64(fs.Bsize) < room {
		return ""
	}
	return folder
}
