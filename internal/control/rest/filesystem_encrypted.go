package rest

import (
	"strings"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
)

var filesystemEncrypted = &control.Control{
	ID:       "filesystem-encrypted",
	Title:    "File systems of the cluster are encrypted",
	Severity: control.Medium,
	Refs:     []control.Ref{control.FSBP("EFS.1"), control.FSBP("EFS.8"), control.AWS("eks-encryption")},
	Serves:   []string{"S12"},
	Since:    "0.1.0",
	Check: control.Each(estate.FileSystems, judgeFileSystem).
		Helped(estate.PersistentVolumes.Kind, estate.StorageClasses.Kind),
}

func judgeFileSystem(s *control.Subject, f *estate.FileSystem) {
	if f.FileSystemType != "EFS" {
		return // FSx encrypts every file system, and it cannot be turned off
	}
	if !mounted(s, f) {
		s.NotApplicable()
		return
	}
	encrypted, known := f.Encrypted.Get()
	switch {
	case !known:
		s.Unknownf("encrypted of file system %s is not known; read it live (--aws), or write it into the template", f.FileSystemId)
	case !encrypted:
		s.Failf("encrypted", "the file system is not encrypted")
	}
}

// mounted reports whether the cluster uses the file system, as far as can be
// told: without a cluster to ask, every one may be used.
func mounted(s *control.Subject, f *estate.FileSystem) bool {
	if f.Origin.File != "" || !s.Read(estate.PersistentVolumes.Kind) || !s.Read(estate.StorageClasses.Kind) {
		return true
	}
	for _, pv := range control.All(s, estate.PersistentVolumes) {
		if csi := pv.Object.Spec.CSI; csi != nil {
			id, _, _ := strings.Cut(csi.VolumeHandle, ":")
			if id == f.FileSystemId {
				return true
			}
		}
		if nfs := pv.Object.Spec.NFS; nfs != nil && strings.HasPrefix(nfs.Server, f.FileSystemId+".") {
			return true
		}
	}
	for _, c := range control.All(s, estate.StorageClasses) {
		if c.Object.Parameters["fileSystemId"] == f.FileSystemId {
			return true
		}
	}
	return false
}
