package all_test

import (
	"testing"

	"github.com/eksafe/eksafe/internal/control/all"
	"github.com/eksafe/eksafe/internal/control/controltest"
)

func TestControls(t *testing.T) { controltest.Run(t, all.Families()) }
