package cli

import (
	"fmt"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// progressAfter is how long work may take before it shows.
const progressAfter = time.Second

// A progress shows one line for each source while it is read. Where nobody
// watches, in pipes and in CI, it is nil, and nil does nothing.
type progress struct {
	bars  *mpb.Progress
	timer *time.Timer
	show  sync.Once
	delay chan struct{} // closed when the bars may be drawn
}

func (a *app) newProgress() *progress {
	if !isTerminal(a.Stderr) || a.Getenv("CI") != "" || a.Getenv("TERM") == "dumb" {
		return nil
	}
	p := &progress{delay: make(chan struct{})}
	p.bars = mpb.New(mpb.WithOutput(a.Stderr), mpb.WithRenderDelay(p.delay), mpb.WithAutoRefresh())
	p.timer = time.AfterFunc(progressAfter, p.draw)
	return p
}

func (p *progress) draw() { p.show.Do(func() { close(p.delay) }) }

// stop waits until all lines are gone. Every task must have ended.
func (p *progress) stop() {
	if p == nil {
		return
	}
	p.timer.Stop()
	p.draw()
	p.bars.Wait()
}

// A task is one line.
type task struct {
	bar  *mpb.Bar
	mu   sync.Mutex // guards what
	what string     // "12 of 40 databases", "350 Service"
}

// task adds a line for one piece of work: "reading AWS".
func (p *progress) task(name string) *task {
	if p == nil {
		return nil
	}
	t := &task{}
	t.bar = p.bars.New(0, mpb.SpinnerStyle("|", "/", "-", "\\"),
		mpb.BarWidth(1),
		mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name(oneLine(name), decor.WCSyncSpaceR)),
		mpb.AppendDecorators(
			decor.Any(func(decor.Statistics) string {
				t.mu.Lock()
				defer t.mu.Unlock()
				return " " + t.what
			}),
		),
	)
	return t
}

// update says how far the task is; total is 0 where nobody knows.
func (t *task) update(done, total int, what string) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if total == 0 {
		t.what = fmt.Sprintf("%d %s", done, oneLine(what))
		return
	}
	t.what = fmt.Sprintf("%d/%d %s", done, total, oneLine(what))
}

// end takes the line away.
func (t *task) end() {
	if t != nil {
		t.bar.Abort(true)
	}
}
