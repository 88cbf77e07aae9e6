// Exact timing of a streaming design on handshake times alone: the processes of
// hwaccel/schedule/blocks.py, which says what they mean, as coroutines. A process waits for a link
// until a time of it is known; the order in which processes run does not matter, because every time
// is a maximum of times before it (G. Kahn, "The semantics of a simple language for parallel
// programming", 1974). A run is made by timing_run, read by the other functions, freed by
// timing_free.
#include <algorithm>
#include <coroutine>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <vector>

namespace {

using i64 = std::int64_t;
using Handle = std::coroutine_handle<>;

// Handshake times of one stream: beat i moves when both sides are there, after beat i - 1.
struct Link {
  std::vector<i64> valid, ready, moved;
  bool drained = false;

  struct Waiting {
    Handle process;
    i64 beat;
    bool only_valid;
  };
  std::vector<Waiting> waiting;
  std::deque<Handle>* runnable = nullptr;

  i64 count() const { return i64(moved.size()); }

  bool known(i64 beat, bool only_valid) const {
    return only_valid ? beat < i64(valid.size()) && beat <= count() : beat < count();
  }

  i64 valid_at(i64 beat) const {
    const i64 after = beat ? moved[size_t(beat - 1)] + 1 : 0;
    return std::max(valid[size_t(beat)], after);
  }

  void offer(i64 cycle) {
    valid.push_back(cycle);
    if (drained) ready.push_back(0);
    advance();
  }

  void accept(i64 cycle) {
    ready.push_back(cycle);
    advance();
  }

  void accept_many(i64 cycle, i64 times) {
    if (times <= 0) return;
    ready.insert(ready.end(), size_t(times), cycle);
    advance();
  }

  void advance() {
    size_t i = moved.size();
    const size_t known_beats = std::min(valid.size(), ready.size());
    i64 last = i ? moved[i - 1] : -1;
    for (; i < known_beats; ++i) {
      last = std::max({valid[i], ready[i], last + 1});
      moved.push_back(last);
    }
    for (size_t w = 0; w < waiting.size();) {
      if (known(waiting[w].beat, waiting[w].only_valid)) {
        runnable->push_back(waiting[w].process);
        waiting[w] = waiting.back();
        waiting.pop_back();
      } else {
        ++w;
      }
    }
  }
};

// Suspends a process until beat `beat` of `link` has a time.
struct Until {
  Link& link;
  i64 beat;
  bool only_valid = false;
  bool await_ready() const { return link.known(beat, only_valid); }
  void await_suspend(Handle process) const { link.waiting.push_back({process, beat, only_valid}); }
  void await_resume() const {}
};

Until moved(Link& link, i64 beat) { return {link, beat}; }
Until offered(Link& link, i64 beat) { return {link, beat, true}; }

struct Process {
  struct promise_type {
    std::exception_ptr failed;
    Process get_return_object() {
      return Process(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    std::suspend_always initial_suspend() { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { failed = std::current_exception(); }
  };

  explicit Process(std::coroutine_handle<promise_type> h) : handle(h) {}
  Process(Process&& other) noexcept : handle(other.handle) { other.handle = nullptr; }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process() {
    if (handle) handle.destroy();
  }
  std::coroutine_handle<promise_type> handle;
};

using Links = std::vector<Link*>;

// --- one function per kind of block; parameters as in hwaccel/schedule/native.py ------------------

Process beatwise(Links ins, Link& out, i64 beats, i64 depth, i64 latency, i64 frames) {
  for (i64 beat = 0; beat < beats * frames; ++beat) {
    i64 fire = 0;
    if (beat >= depth) {
      co_await moved(out, beat - depth);
      fire = out.moved[size_t(beat - depth)] + 1;
    }
    if (ins.size() > 1) {
      for (Link* link : ins) {
        co_await offered(*link, beat);
        fire = std::max(fire, link->valid_at(beat));
      }
    }
    for (Link* link : ins) link->accept(fire);
    co_await moved(*ins[0], beat);
    out.offer(ins[0]->moved[size_t(beat)] + latency);
  }
}

// `order` lists, for every group of output beats that read the same: the number of waits, for each
// its offset in the reduction and the input beat, the number of output beats, the reads of each, and
// how many input beats of the frame are free after the last of them (-1: none more). `fire` is the
// cycle before the first step.
Process windowed(Link& in, Link& out, i64 depth, i64 latency, i64 ring, i64 fire, i64 beats_in,
                 const i64* order, i64 groups, i64 frames) {
  const i64 total = beats_in * frames;
  in.accept_many(0, std::min(ring, total));
  i64 allowed = ring, produced = 0;
  for (i64 frame = 0; frame < frames; ++frame) {
    const i64 base = frame * beats_in;
    const i64* at_order = order;
    for (i64 group = 0; group < groups; ++group) {
      i64 at = 0;
      for (i64 waits = *at_order++; waits > 0; --waits) {
        const i64 offset = *at_order++, beat = base + *at_order++;
        fire += offset - at;
        at = offset;
        co_await moved(in, beat);
        fire = std::max(fire, in.moved[size_t(beat)]);
      }
      const i64 repeat = *at_order++, reads = *at_order++, freed = *at_order++;
      for (i64 r = 0; r < repeat; ++r) {
        fire += reads - at;
        at = 0;
        if (produced >= depth) {
          co_await moved(out, produced - depth);
          fire = std::max(fire, out.moved[size_t(produced - depth)] + 1);
        }
        out.offer(fire + latency);
        ++produced;
      }
      if (freed >= 0) {
        const i64 target = base + freed + ring;
        in.accept_many(fire + 1, std::min(target, total) - allowed);
        allowed = std::max(allowed, target);
      }
    }
  }
}

// `steps` lists, for every step, the pixel it waits for, whether it completes a window, and the
// pixels of the frame that are free after it.
Process lines(Link& in, Link& out, i64 depth, i64 latency, i64 places, i64 beats_in,
              const i64* steps, i64 count, i64 frames) {
  const i64 total = beats_in * frames;
  in.accept_many(0, std::min(places, total));
  i64 allowed = places, now = -1, produced = 0;
  for (i64 base = 0; base < total; base += beats_in) {
    for (i64 k = 0; k < count; ++k) {
      const i64 need = base + steps[3 * k];
      co_await moved(in, need);
      now = std::max(now, in.moved[size_t(need)]) + 1;
      if (steps[3 * k + 1]) {
        if (produced >= depth) {
          co_await moved(out, produced - depth);
          now = std::max(now, out.moved[size_t(produced - depth)] + 1);
        }
        out.offer(now + latency);
        ++produced;
      }
      const i64 target = base + steps[3 * k + 2] + places;
      in.accept_many(now + 1, std::min(target, total) - allowed);
      allowed = std::max(allowed, target);
    }
  }
}

Process fork(Link& in, Links outs, i64 beats, i64 frames) {
  for (i64 beat = 0; beat < beats * frames; ++beat) {
    co_await offered(in, beat);
    const i64 valid = in.valid_at(beat);
    for (Link* link : outs) link->offer(valid);
    i64 last = 0;
    for (Link* link : outs) {
      co_await moved(*link, beat);
      last = std::max(last, link->moved[size_t(beat)]);
    }
    in.accept(last);
  }
}

Process pack(Link& in, Link& out, i64 ratio, i64 beats, i64 frames) {
  for (i64 beat = 0; beat < beats * frames; ++beat) {
    i64 first = 0;
    if (beat) {
      co_await moved(out, beat - 1);
      first = out.moved[size_t(beat - 1)];
    }
    in.accept(first);
    in.accept_many(0, ratio - 1);
    const i64 last = (beat + 1) * ratio - 1;
    co_await moved(in, last);
    out.offer(in.moved[size_t(last)] + 1);
  }
}

Process unpack(Link& in, Link& out, i64 ratio, i64 beats, i64 frames) {
  for (i64 beat = 0; beat < beats * frames; ++beat) {
    i64 free = 0;
    if (beat) {
      co_await moved(out, beat * ratio - 1);
      free = out.moved[size_t(beat * ratio - 1)];
    }
    in.accept(free);
    co_await moved(in, beat);
    const i64 at = in.moved[size_t(beat)] + 1;
    for (i64 part = 0; part < ratio; ++part) out.offer(at);
  }
}

Process reorder(Link& in, Link& out, i64 taken, i64 left, i64 frames) {
  in.accept_many(0, std::min<i64>(2, frames) * taken);
  for (i64 frame = 0; frame < frames; ++frame) {
    const i64 last = (frame + 1) * taken - 1;
    co_await moved(in, last);
    const i64 filled = in.moved[size_t(last)] + 1;
    i64 read = filled;
    for (i64 beat = frame * left; beat < (frame + 1) * left; ++beat) {
      if (beat) {
        co_await moved(out, beat - 1);
        read = std::max(filled, out.moved[size_t(beat - 1)]);
      }
      out.offer(read + 1);
    }
    if (frame + 2 < frames) {
      in.accept(read + 1);
      in.accept_many(0, taken - 1);
    }
  }
}

// The processes of hwaccel/schedule/channels.py.
Process channel(Link& in, Link& out, i64 beats, i64 credits, i64 latency, i64 frames) {
  for (i64 beat = 0; beat < beats * frames; ++beat) {
    i64 ready = 0;
    if (beat >= credits) {
      co_await moved(out, beat - credits);
      ready = out.moved[size_t(beat - credits)] + latency;
    }
    in.accept(ready);
    co_await moved(in, beat);
    out.offer(in.moved[size_t(beat)] + latency);
  }
}

Process scatter(Link& in, Links outs, i64 beats, i64 frames) {
  i64 taken = 0;
  for (i64 frame = 0; frame < frames; ++frame) {
    for (Link* out : outs) {
      for (i64 beat = frame * beats; beat < (frame + 1) * beats; ++beat) {
        co_await offered(in, taken);
        out->offer(in.valid_at(taken));
        co_await moved(*out, beat);
        in.accept(out->moved[size_t(beat)]);
        ++taken;
      }
    }
  }
}

Process gather(Links ins, Link& out, i64 beats, i64 frames) {
  i64 given = 0;
  for (i64 frame = 0; frame < frames; ++frame) {
    for (Link* in : ins) {
      for (i64 beat = frame * beats; beat < (frame + 1) * beats; ++beat) {
        co_await offered(*in, beat);
        out.offer(in->valid_at(beat));
        co_await moved(out, given);
        in->accept(out.moved[size_t(given)]);
        ++given;
      }
    }
  }
}

// --- a design -------------------------------------------------------------------------------------

struct Run {
  std::vector<Link> links;
  std::deque<Handle> runnable;
  std::vector<Process> processes;
};

// One block: kind, number of inputs, their links, number of outputs, their links, then parameters.
Process made(const i64*& p, std::vector<Link>& links, i64 frames) {
  const i64 kind = *p++;
  Links ins, outs;
  for (i64 n = *p++; n > 0; --n) ins.push_back(&links[size_t(*p++)]);
  for (i64 n = *p++; n > 0; --n) outs.push_back(&links[size_t(*p++)]);
  const i64* a = p;
  switch (kind) {
    case 0:
      p += 3;
      return beatwise(ins, *outs[0], a[0], a[1], a[2], frames);
    case 1:
      p += 7 + a[6];
      return windowed(*ins[0], *outs[0], a[0], a[1], a[2], a[3], a[4], a + 7, a[5], frames);
    case 2:
      p += 5 + 3 * a[4];
      return lines(*ins[0], *outs[0], a[0], a[1], a[2], a[3], a + 5, a[4], frames);
    case 3:
      p += 1;
      return fork(*ins[0], outs, a[0], frames);
    case 4:
      p += 2;
      return pack(*ins[0], *outs[0], a[0], a[1], frames);
    case 5:
      p += 2;
      return unpack(*ins[0], *outs[0], a[0], a[1], frames);
    case 7:
      p += 3;
      return channel(*ins[0], *outs[0], a[0], a[1], a[2], frames);
    case 8:
      p += 1;
      return scatter(*ins[0], outs, a[0], frames);
    case 9:
      p += 1;
      return gather(ins, *outs[0], a[0], frames);
    default:
      p += 2;
      return reorder(*ins[0], *outs[0], a[0], a[1], frames);
  }
}

}  // namespace

extern "C" {

// Runs a design: `count` blocks in `design` on `links` links. `arrivals` lists the input links,
// each as link, number of beats, and the cycles from which these are offered. Outputs are always
// ready. Returns null when memory runs out.
void* timing_run(int links, int count, const i64* design, int inputs, const i64* arrivals,
                 int outputs, const i64* drained, int frames) {
  try {
    auto run = std::make_unique<Run>();
    run->links.resize(size_t(links));
    for (Link& link : run->links) link.runnable = &run->runnable;
    for (int i = 0; i < outputs; ++i) run->links[size_t(drained[i])].drained = true;
    for (int i = 0; i < inputs; ++i) {
      Link& link = run->links[size_t(*arrivals++)];
      for (i64 beats = *arrivals++; beats > 0; --beats) link.offer(*arrivals++);
    }
    for (int i = 0; i < count; ++i) {
      run->processes.push_back(made(design, run->links, frames));
      run->runnable.push_back(run->processes.back().handle);
    }
    while (!run->runnable.empty()) {
      const Handle process = run->runnable.front();
      run->runnable.pop_front();
      process.resume();
    }
    for (const Process& process : run->processes)
      if (process.handle.promise().failed) std::rethrow_exception(process.handle.promise().failed);
    return run.release();
  } catch (const std::exception&) {
    return nullptr;
  }
}

// Sets a flag for each block: 1 where it still waits.
void timing_waiting(const void* run, int* waits) {
  for (const Process& process : static_cast<const Run*>(run)->processes)
    *waits++ = !process.handle.done();
}

i64 timing_beats(const void* run, int link) {
  return static_cast<const Run*>(run)->links[size_t(link)].count();
}

// Fills the cycle in which each beat of a link moved.
void timing_read(const void* run, int link, i64* cycles) {
  const std::vector<i64>& moved = static_cast<const Run*>(run)->links[size_t(link)].moved;
  std::copy(moved.begin(), moved.end(), cycles);
}

void timing_free(void* run) { delete static_cast<Run*>(run); }

}  // extern "C"
