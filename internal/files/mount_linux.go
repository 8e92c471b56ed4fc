package files

import (
	"os"
	"syscall"
)

// readOnly is ST_RDONLY of statfs(2).
const readOnly = 1

// onReadOnlyMount reports whether nothing can be changed where f is.
func onReadOnlyMount(f *os.File) bool {
	var s syscall.Statfs_t
	return syscall.Fstatfs(int(f.Fd()), &s) == nil && s.Flags&readOnly != 0
}
