package form

import (
	"sync"
	"time"
)

// recent remembers a bounded number of values for a while. Like limit.Limiter it holds two generations and drops the older when the
// younger is full.
type recent[V any] struct {
	most int
	life time.Duration

	mu         sync.Mutex
	young, old map[string]kept[V]
}

type kept[V any] struct {
	value V
	until time.Time
}

func newRecent[V any](most int, life time.Duration) *recent[V] {
	return &recent[V]{most: most, life: life, young: map[string]kept[V]{}}
}

func (r *recent[V]) get(now time.Time, key string) (v V, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k, ok := r.young[key]
	if !ok {
		k, ok = r.old[key]
	}
	if !ok || now.After(k.until) {
		return v, false
	}
	return k.value, true
}

func (r *recent[V]) put(now time.Time, key string, v V) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.young) >= r.most {
		r.old, r.young = r.young, map[string]kept[V]{}
	}
	r.young[key] = kept[V]{v, now.Add(r.life)}
}

func (r *recent[V]) drop(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.young, key)
	delete(r.old, key)
}
