package trace

import (
	"path"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"

	"github.com/eksafe/eksafe/internal/estate"
)

// volumes makes the hops to the persistent volumes of w. Encrypted means that
// what lies on the volume is encrypted.
func (g *Graph) volumes(w *estate.Workload) {
	for i, v := range w.Template.Spec.Volumes {
		if v.PersistentVolumeClaim != nil {
			g.claim(w, v.PersistentVolumeClaim.ClaimName, nil, workloadPlace(w, w.TemplateField("spec.volumes["+itoa(i)+"]")))
		}
		if v.Ephemeral != nil && v.Ephemeral.VolumeClaimTemplate != nil {
			g.claim(w, v.Name, &v.Ephemeral.VolumeClaimTemplate.Spec, workloadPlace(w, w.TemplateField("spec.volumes["+itoa(i)+"]")))
		}
	}
	for i := range w.VolumeClaims {
		c := &w.VolumeClaims[i]
		g.claim(w, c.Name, &c.Spec, workloadPlace(w, "spec.volumeClaimTemplates["+itoa(i)+"]"))
	}
}

// claim makes the hop to one claim. spec is given for claims that are made from
// a template; a claim of its own is looked up.
func (g *Graph) claim(w *estate.Workload, claim string, spec *corev1.PersistentVolumeClaimSpec, at Place) {
	h := &Hop{
		Leg: VolumeLeg, From: estate.Workloads.Ref(w), Client: w, Protocol: "volume", Places: []Place{at},
		To: estate.NamedRef("Volume", "persistentvolumeclaim", w.Namespace, claim),
	}
	if spec == nil {
		if pvc := g.claims[name{w.Namespace, claim}]; pvc != nil {
			spec = &pvc.Object.Spec
			h.Places = []Place{placeOf(estate.PersistentVolumeClaims, pvc, "spec.storageClassName")}
		}
	}
	h.Encryption, h.By, h.Why = Unknown, "", "claim "+claim+" was not read"
	if spec != nil {
		g.judgeClaim(h, spec)
	}
	g.add(h)
}

func (g *Graph) judgeClaim(h *Hop, spec *corev1.PersistentVolumeClaimSpec) {
	if pv := g.persistentVolumes[spec.VolumeName]; spec.VolumeName != "" && pv != nil {
		if encrypted, known, why, at := g.volumeOf(pv); known {
			h.Encryption, h.Why = Plaintext, why
			if encrypted {
				h.Encryption, h.By = Encrypted, "the volume's encryption"
			}
			h.Places = append([]Place{at}, h.Places...)
			return
		}
	}
	class := g.storageClass(spec.StorageClassName)
	if class == nil {
		h.Why = "its StorageClass was not read"
		return
	}
	at := placeOf(estate.StorageClasses, class, "parameters.encrypted")
	h.Places = append([]Place{at}, h.Places...)
	switch encrypted := class.Object.Parameters["encrypted"]; {
	case strings.EqualFold(encrypted, "true"):
		h.Encryption, h.By, h.Why = Encrypted, "StorageClass "+class.Object.Name, "StorageClass "+class.Object.Name+" says encrypted: true"
	case !strings.Contains(class.Object.Provisioner, "ebs"):
		h.Why = "how " + class.Object.Provisioner + " encrypts is decided by its file system"
	case g.ebsDefault == Yes:
		h.Encryption, h.By, h.Why = Encrypted, "EBS encryption by default", "the region encrypts new volumes"
	case g.ebsDefault == No:
		h.Encryption, h.Why = Plaintext, "StorageClass "+class.Object.Name+" does not encrypt, and neither does the region by default"
	default:
		h.Why = "StorageClass " + class.Object.Name + " does not say encrypted, and whether the region encrypts by default was not read"
	}
}

// volumeOf returns the encryption of the EBS volume or file system behind a
// PersistentVolume.
func (g *Graph) volumeOf(pv *estate.Resource[corev1.PersistentVolume]) (encrypted, known bool, why string, at Place) {
	handle := ""
	switch src := pv.Object.Spec.PersistentVolumeSource; {
	case src.CSI != nil:
		handle = src.CSI.VolumeHandle
	case src.AWSElasticBlockStore != nil:
		handle = path.Base(src.AWSElasticBlockStore.VolumeID) // "aws://eu-west-1a/vol-1"
	}
	if v := g.ebsVolumes[handle]; handle != "" && v != nil {
		encrypted, known = v.Encrypted.Get()
		return encrypted, known, "EBS volume " + handle, placeOf(estate.Volumes, v, "encrypted")
	}
	id, _, _ := strings.Cut(handle, ":") // "fs-1:/path:fsap-2"
	if f := g.fileSystems[id]; id != "" && f != nil {
		encrypted, known = f.Encrypted.Get()
		return encrypted, known, f.FileSystemType + " file system " + id, placeOf(estate.FileSystems, f, "encrypted")
	}
	return false, false, "", Place{}
}

// storageClass returns the class of a claim: the named one, else the default.
func (g *Graph) storageClass(className *string) *estate.Resource[storagev1.StorageClass] {
	var found *estate.Resource[storagev1.StorageClass]
	for _, c := range estate.StorageClasses.In(g.Estate) {
		switch {
		case className != nil && *className != "":
			if c.Object.Name == *className {
				return c
			}
		case isDefaultClass(c):
			// Of several defaults Kubernetes takes the newest.
			if found == nil || found.Object.CreationTimestamp.Before(&c.Object.CreationTimestamp) {
				found = c
			}
		}
	}
	return found
}

func isDefaultClass(c *estate.Resource[storagev1.StorageClass]) bool {
	a := c.Object.Annotations
	return a["storageclass.kubernetes.io/is-default-class"] == "true" || a["storageclass.beta.kubernetes.io/is-default-class"] == "true"
}
