package rest

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/estate"
	"github.com/eksafe/eksafe/internal/trace"
)

var volumeEncrypted = &control.Control{
	ID:       "volume-encrypted",
	Title:    "Every EBS volume with the application's data is encrypted",
	Severity: control.High,
	Refs:     []control.Ref{control.FSBP("EC2.3")},
	Serves:   []string{"S12"},
	Since:    "0.1.0",
	Check: control.Traced(volumes, func(v ebsVolume) trace.Place { return v.place }, judgeVolume,
		estate.PersistentVolumes.Kind, estate.Volumes.Kind).
		Helped(estate.Instances.Kind),
}

// An ebsVolume is a volume in AWS, a PersistentVolume on one, or both.
type ebsVolume struct {
	place  trace.Place
	id     string
	volume *estate.Volume // nil if it was not found
	claim  string         // name of the PersistentVolume, "" without one
}

// volumes lists the volumes that hold data. A node's own volumes hold images
// and logs and are node-volume-encrypted's.
func volumes(g *trace.Graph) []ebsVolume {
	var out []ebsVolume
	used := map[string]string{} // PersistentVolumes by volume ID
	var persistent []ebsVolume
	for _, pv := range estate.PersistentVolumes.In(g.Estate) {
		id := volumeID(&pv.Object)
		if id == "" {
			continue
		}
		used[id] = pv.Object.Name
		persistent = append(persistent, ebsVolume{
			id: id, claim: pv.Object.Name,
			place: trace.Place{Subject: estate.PersistentVolumes.Ref(pv), Origin: &pv.Origin},
		})
	}
	var nodes []string
	for _, i := range estate.Instances.In(g.Estate) {
		nodes = append(nodes, i.VolumeIds...)
	}
	slices.Sort(nodes)
	found := map[string]bool{}
	for _, v := range estate.Volumes.In(g.Estate) {
		found[v.VolumeId] = true
		if _, node := slices.BinarySearch(nodes, v.VolumeId); node && used[v.VolumeId] == "" && !madeByDriver(v) {
			continue
		}
		out = append(out, ebsVolume{
			id: v.VolumeId, volume: v, claim: used[v.VolumeId],
			place: trace.Place{Subject: estate.Volumes.Ref(v), Origin: &v.Origin},
		})
	}
	for _, p := range persistent {
		if !found[p.id] {
			out = append(out, p)
		}
	}
	return out
}

// volumeID returns the ID of the EBS volume behind a PersistentVolume, "" if
// something else is.
func volumeID(pv *corev1.PersistentVolume) string {
	if csi := pv.Spec.CSI; csi != nil && (csi.Driver == "ebs.csi.aws.com" || csi.Driver == "ebs.csi.eks.amazonaws.com") {
		return csi.VolumeHandle
	}
	if ebs := pv.Spec.AWSElasticBlockStore; ebs != nil {
		// "aws://eu-west-1a/vol-0123" or the ID alone.
		return ebs.VolumeID[strings.LastIndexByte(ebs.VolumeID, '/')+1:]
	}
	return ""
}

// madeByDriver reports whether the CSI driver made the volume for a claim.
func madeByDriver(v *estate.Volume) bool { return v.Tags["kubernetes.io/created-for/pvc/name"] != "" }

// ofApplication reports whether the volume holds an application's data, though
// it is attached to a node like the node's own.
func ofApplication(e *estate.Estate, v *estate.Volume) bool {
	return madeByDriver(v) || slices.ContainsFunc(estate.PersistentVolumes.In(e), func(pv *estate.Resource[corev1.PersistentVolume]) bool {
		return volumeID(&pv.Object) == v.VolumeId
	})
}

func judgeVolume(s *control.Subject, v ebsVolume) {
	if v.volume == nil {
		if s.Read(estate.Volumes.Kind) {
			s.Unknownf("volume %s of PersistentVolume %s is in no region that was read; add --region", v.id, v.claim)
		} else {
			s.Unknownf("volume %s of PersistentVolume %s was not read; add --aws", v.id, v.claim)
		}
		return
	}
	behind := ""
	if v.claim != "" {
		behind = ", and PersistentVolume " + v.claim + " keeps its data there"
	}
	encrypted, known := v.volume.Encrypted.Get()
	switch {
	case !known:
		s.Unknownf("encrypted of volume %s is not known; read it live (--aws), or write it into the template", s.Ref().Name)
	case !encrypted:
		s.Failf("encrypted", "the volume is not encrypted%s", behind)
	}
}
