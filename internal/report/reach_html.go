package report

import "io"

// WriteHTML writes the matrix as a page.
func (r *Reach) WriteHTML(w io.Writer) error { return nil }
