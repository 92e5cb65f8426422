"""Writes data/sampling_vectors.txt: tokens drawn by the rules in the documentation of engine/src/sample.rs.

Written from that text alone, in float64, without the engine. A line is `settings | vocabulary | tokens`. The logits of every draw
come from a generator of their own with seed 1: token i of n has (output / 2^8, rounded down) / 2^20 - 8, divided by `flat`. No token's
text is within another's; breakers are given as ids. Every chosen token is accepted.

    python3 engine/tests/sampling_vectors.py
"""

import math
import pathlib
import struct

MASK = (1 << 64) - 1
DRAWS = 200


def f32(x):
    """x, rounded to float32."""
    return struct.unpack("<f", struct.pack("<f", x))[0]


class Pcg:
    A, C = 6364136223846793005, 109

    def __init__(self, seed):
        self.s = ((self.C + seed) * self.A + self.C) & MASK

    def output(self):
        s = self.s
        self.s = (s * self.A + self.C) & MASK
        x = (((s >> 18) ^ s) >> 27) & 0xFFFFFFFF
        turn = s >> 59
        return ((x >> turn) | (x << (32 - turn))) & 0xFFFFFFFF

    def unit(self):
        high, low = self.output(), self.output()
        return (high * 2**21 + low // 2**11) / 2**53


DEFAULTS = dict(
    seed=0, samplers="edskypmxt", min_keep=0, top_k=40, top_p=0.95, min_p=0.05, typ_p=1.0, top_n_sigma=-1.0,
    xtc_probability=0.0, xtc_threshold=0.1, temp=0.8, dynatemp_range=0.0, dynatemp_exponent=1.0,
    penalty_last_n=64, penalty_repeat=1.0, penalty_freq=0.0, penalty_present=0.0, dry_multiplier=0.0,
    dry_base=1.75, dry_allowed_length=2, dry_penalty_last_n=-1, breakers="", mirostat=0, mirostat_tau=5.0,
    mirostat_eta=0.1, logit_bias="",
)


def total(terms):
    # Not the built-in sum, which compensates.
    result = 0.0
    for term in terms:
        result += term
    return result


class Sampler:
    def __init__(self, settings):
        given = {**DEFAULTS, **settings}
        self.s = {k: f32(v) if isinstance(v, float) else v for k, v in given.items()}
        self.random = Pcg(self.s["seed"])
        self.text = []
        self.bound = 2 * self.s["mirostat_tau"]

    # Candidates are [logit, token] pairs in self.all; self.masked counts those at minus infinity.

    def sort(self):
        self.sorted = True
        self.all.sort(key=lambda c: (-c[0], c[1]))

    def best(self, n):
        self.sort()
        n = max(n, 1)
        self.masked = min(self.masked, max(n - len(self.all), 0))
        self.all = self.all[:n]

    def change(self, token, how):
        for candidate in self.all:
            if candidate[1] == token:
                candidate[0] = how(candidate[0])
        if self.sorted:
            self.sort()

    def p(self):
        top = max(x for x, _ in self.all)
        w = [math.exp(x - top) for x, _ in self.all]
        whole = total(w)
        return [x / whole for x in w]

    def window(self, n):
        return self.text if n < 0 else self.text[len(self.text) - min(n, len(self.text)):]

    def penalties(self):
        s = self.s
        repeat, frequency, presence = s["penalty_repeat"], s["penalty_freq"], s["penalty_present"]
        if repeat == 1 and frequency == 0 and presence == 0:
            return
        window = self.window(s["penalty_last_n"])
        for token in sorted(set(window)):
            n = window.count(token)
            self.change(token, lambda x: (x * repeat if x <= 0 else x / repeat) - n * frequency - presence)

    def dry(self):
        s = self.s
        t = self.window(s["dry_penalty_last_n"])[::-1]
        if s["dry_multiplier"] == 0 or s["dry_base"] < 1 or not t:
            return
        allowed = s["dry_allowed_length"]
        breakers = [int(b) for b in s["breakers"].split(",") if b]
        limit = next((i for i, token in enumerate(t) if token in breakers), len(t))
        if limit < allowed or len(t) <= allowed:
            return
        marks = {}
        for k in range(1, len(t)):
            n = 0
            while k + n < len(t) and t[n] == t[k + n]:
                n += 1
            n = min(n, limit)
            if n >= allowed and t[k - 1] not in breakers:
                marks[t[k - 1]] = max(n, marks.get(t[k - 1], 0))
        base = s["dry_base"]
        most = math.floor(88.7228391 / math.log(base)) if base > 1.000001 else math.inf
        for token, n in marks.items():
            loss = s["dry_multiplier"] * math.pow(base, min(n - allowed, most))
            self.change(token, lambda x: x - loss)

    def top_n_sigma(self):
        if self.s["top_n_sigma"] <= 0 or len(self.all) == 1:
            return
        xs = [x for x, _ in self.all]
        mean = total(xs) / len(xs)
        deviation = math.sqrt(total((x - mean) * (x - mean) for x in xs) / len(xs))
        least = max(xs) - self.s["top_n_sigma"] * deviation
        kept = [c for c in self.all if c[0] >= least]
        self.masked += len(self.all) - len(kept)
        self.all = kept

    def top_k(self):
        if self.s["top_k"] >= 1:
            self.best(max(self.s["top_k"], self.s["min_keep"]))

    def typical(self):
        if self.s["typ_p"] >= 1:
            return
        self.sort()
        p = self.p()
        h = total(q * -math.log(q) for q in p)
        near = sorted(range(len(p)), key=lambda i: abs(-math.log(p[i]) - h))
        taken, so_far = set(), 0.0
        for i in near:
            taken.add(i)
            so_far += p[i]
            if so_far > self.s["typ_p"] and len(taken) >= self.s["min_keep"]:
                break
        self.all = [c for i, c in enumerate(self.all) if i in taken]
        self.masked = 0

    def top_p(self):
        if self.s["top_p"] >= 1:
            return
        self.sort()
        so_far = 0.0
        for i, q in enumerate(self.p()):
            so_far += q
            if so_far >= self.s["top_p"] and i + 1 >= self.s["min_keep"]:
                return self.best(i + 1)

    def min_p(self):
        if self.s["min_p"] <= 0:
            return
        least = max(x for x, _ in self.all) + math.log(self.s["min_p"])
        kept = [c for c in self.all if c[0] >= least]
        if len(kept) < max(self.s["min_keep"], 1):
            return self.best(self.s["min_keep"])
        self.all, self.masked = kept, 0

    def xtc(self):
        s = self.s
        if s["xtc_probability"] <= 0 or s["xtc_threshold"] > 0.5 or len(self.all) < 2:
            return
        if self.random.unit() > s["xtc_probability"]:
            return
        self.sort()
        above = 0
        for q in self.p():
            if q < s["xtc_threshold"]:
                break
            above += 1
        if above >= 2 and len(self.all) - (above - 1) >= s["min_keep"]:
            self.all = self.all[above - 1:]

    def temperature(self):
        s = self.s
        temperature, places = s["temp"], len(self.all) + self.masked
        if s["dynatemp_range"] > 0 and places > 1:
            low, high = max(temperature - s["dynatemp_range"], 0.0), temperature + s["dynatemp_range"]
            e = total(q * -math.log(q) for q in self.p() if q > 0) / math.log(places)
            temperature = low + (high - low) * math.pow(e, s["dynatemp_exponent"])
        if temperature <= 0:
            return self.best(1)
        for candidate in self.all:
            candidate[0] /= temperature
        if self.sorted:
            self.sort()

    def cut(self):
        if self.s["mirostat"] == 2:
            p = self.p()
            self.all = [c for i, c in enumerate(self.all) if i == 0 or -math.log2(p[i]) <= self.bound]
            return
        n, p = len(self.all), self.p()
        tb = tt = 0.0
        for i in range(min(n - 1, 99)):
            t, b = math.log((i + 2) / (i + 1)), math.log(p[i] / p[i + 1])
            tb += t * b
            tt += t * t
        k = math.nan
        try:
            e = tb / tt - 1
            k = math.pow(e * math.pow(2, self.bound) / (1 - math.pow(n, -e)), 1 / (tb / tt))
        except (ArithmeticError, ValueError):
            pass
        self.best(int(min(max(k, 1), n)) if math.isfinite(k) else n)

    def draw(self):
        u, so_far, p = self.random.unit(), 0.0, self.p()
        for (_, token), q in zip(self.all, p):
            so_far += q
            if so_far > u:
                return token, q
        return self.all[-1][1], p[-1]

    def sample(self, logits):
        self.sorted = False
        self.all = [[x, i] for i, x in enumerate(logits)]
        self.masked = 0
        for pair in filter(None, self.s["logit_bias"].split(",")):
            token, bias = pair.split(":")
            self.change(int(token), lambda x: x + f32(float(bias)))
        self.masked = sum(x == -math.inf for x, _ in self.all)
        self.all = [c for c in self.all if c[0] != -math.inf]
        if self.s["mirostat"]:
            self.temperature()
            self.sort()
            self.cut()
            token, q = self.draw()
            self.bound -= self.s["mirostat_eta"] * (-math.log2(q) - self.s["mirostat_tau"])
        else:
            filters = dict(e=self.penalties, d=self.dry, s=self.top_n_sigma, k=self.top_k, y=self.typical,
                           p=self.top_p, m=self.min_p, x=self.xtc, t=self.temperature)
            for letter in self.s["samplers"]:
                filters[letter]()
            self.sort()
            token = self.all[0][1] if len(self.all) == 1 else self.draw()[0]
        self.text.append(token)
        return token


# Settings, vocabulary, what the logits are divided by.
CASES = [
    (dict(seed=42), 60, 2),
    (dict(seed=2**63 + 5, temp=1.7, top_k=0, top_p=1.0, min_p=0.0), 60, 2),
    (dict(temp=0.0, penalty_repeat=1.3), 60, 2),
    (dict(seed=1, top_k=5), 60, 4),
    (dict(seed=2, samplers="p", top_p=0.7), 60, 3),
    (dict(seed=3, samplers="mt", min_p=0.2, temp=1.3), 60, 2),
    (dict(seed=4, samplers="tmk", min_p=0.3, min_keep=4, top_k=3), 60, 2),
    (dict(seed=5, penalty_repeat=1.2, penalty_freq=0.3, penalty_present=-0.4, penalty_last_n=16), 30, 4),
    (dict(seed=6, penalty_freq=0.25, penalty_last_n=-1, samplers="ke", top_k=12), 30, 4),
    (dict(seed=7, xtc_probability=0.5, xtc_threshold=0.08), 60, 3),
    (dict(seed=8, xtc_probability=0.9, xtc_threshold=0.02, min_keep=3, samplers="xkt", top_k=20), 60, 3),
    (dict(seed=9, dry_multiplier=0.8, breakers="2"), 6, 8),
    (dict(seed=10, dry_multiplier=1.5, dry_base=1.2, dry_allowed_length=0, dry_penalty_last_n=24, breakers="0,3"), 6, 6),
    (dict(seed=11, dry_multiplier=0.01, dry_base=1.0, dry_allowed_length=1), 5, 8),
    (dict(seed=12, top_n_sigma=1.0, samplers="st", temp=2.0), 60, 3),
    (dict(seed=13, typ_p=0.6), 60, 3),
    (dict(seed=14, typ_p=0.3, min_keep=5, samplers="yt"), 60, 3),
    (dict(seed=15, dynatemp_range=0.5, dynatemp_exponent=1.5), 60, 3),
    (dict(seed=16, dynatemp_range=1.0, temp=0.6, top_n_sigma=1.5, samplers="stk", logit_bias="3:-inf,5:-inf"), 60, 3),
    (dict(seed=17, logit_bias="0:1.5,1:-inf,2:-0.1,2:4"), 20, 4),
    (dict(seed=18, mirostat=1, temp=1.0), 60, 3),
    (dict(seed=19, mirostat=1, mirostat_tau=2.5, mirostat_eta=0.3), 120, 4),
    (dict(seed=20, mirostat=2, mirostat_tau=3.0), 60, 3),
    (dict(seed=21, mirostat=2, mirostat_tau=1.0, mirostat_eta=0.5, temp=1.5), 120, 4),
    (dict(seed=22, penalty_repeat=1.1, dry_multiplier=0.5, top_n_sigma=3.0, top_k=30, typ_p=0.95, top_p=0.9,
          min_p=0.02, xtc_probability=0.3, xtc_threshold=0.1, temp=1.1, dynatemp_range=0.2, breakers="1"), 60, 3),
]


def main():
    lines = ["# settings that differ from the defaults | vocabulary, divisor of the logits | tokens drawn",
             "# Written by sampling_vectors.py; see there how the logits are made."]
    for settings, vocabulary, flat in CASES:
        sampler, noise = Sampler(settings), Pcg(1)
        tokens = []
        for _ in range(DRAWS):
            # Exact in float32: 24 bits, then a rounding to float32 by the division.
            logits = [f32((noise.output() // 2**8 / 2**20 - 8) / flat) for _ in range(vocabulary)]
            tokens.append(sampler.sample(logits))
        given = " ".join(f"{name}={value}" for name, value in settings.items())
        lines.append(f"{given} | {vocabulary} {flat} | {' '.join(map(str, tokens))}")
    path = pathlib.Path(__file__).parent / "data" / "sampling_vectors.txt"
    path.write_text("\n".join(lines) + "\n")


main()
