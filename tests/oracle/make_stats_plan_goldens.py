"""Adds to tests/golden/stats.json what `assay stats` must answer about differences, variance by source, equivalence, sample sizes and stopping.

Nothing here shares code with base/stats: binomials are summed outcome by outcome in exact fractions, quantiles come from Python's NormalDist,
Student's t from numerical integration, intervals of the sequence from bisection on exact beta functions of half-integers.

usage: make_stats_plan_goldens.py tests/golden/stats.json    (seconds; standard library alone)
"""
import json
import math
import random
import sys
from fractions import Fraction
from math import comb
from statistics import NormalDist

NAMES = ("newcombe", "newcombe-paired", "bootstrap", "equivalence", "samples", "rounding", "power-two", "power-paired", "power-equivalence",
         "power-samples", "sequential")
CASES = []
NORMAL = NormalDist()


def add(name, given, wanted):
    CASES.append({"name": name, "in": given, "out": wanted})


def wilson(k, n, level):
    z = NORMAL.inv_cdf((1 + level) / 2)
    p = k / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return (0.0 if k == 0 else middle - half), (1.0 if k == n else middle + half)


def newcombe(k1, n1, k2, n2, level):
    (l1, u1), (l2, u2) = wilson(k1, n1, level), wilson(k2, n2, level)
    p1, p2 = k1 / n1, k2 / n2
    return {"delta": p1 - p2, "low": p1 - p2 - math.hypot(p1 - l1, u2 - p2), "high": p1 - p2 + math.hypot(u1 - p1, p2 - l2)}


def newcombe_paired(a, b, c, d, level):
    n = a + b + c + d
    (l1, u1), (l2, u2) = wilson(a + b, n, level), wilson(a + c, n, level)
    p1, p2 = (a + b) / n, (a + c) / n
    cross = a * d - b * c
    if cross > 0:
        cross = max(cross - n / 2, 0)
    under = (a + b) * (c + d) * (a + c) * (b + d)
    phi = cross / math.sqrt(under) if under else 0.0
    low = (b - c) / n - math.sqrt((p1 - l1) ** 2 - 2 * phi * (p1 - l1) * (u2 - p2) + (u2 - p2) ** 2)
    high = (b - c) / n + math.sqrt((u1 - p1) ** 2 - 2 * phi * (u1 - p1) * (p2 - l2) + (p2 - l2) ** 2)
    return {"delta": (b - c) / n, "low": low, "high": high}


def student_tail(t, df):
    """P(T >= t) for t >= 0: Simpson on the substituted density x = sqrt(df) tan u."""
    lower = math.atan(t / math.sqrt(df))
    steps = 20000
    h = (math.pi / 2 - lower) / steps
    total = sum((1 if i in (0, steps) else 4 if i % 2 else 2) * math.cos(lower + i * h) ** (df - 1) for i in range(steps + 1))
    return math.exp(math.lgamma((df + 1) / 2) - math.lgamma(df / 2)) / math.sqrt(math.pi) * total * h / 3


def equivalence(a, b, cluster, margin, alpha):
    d = [y - x for x, y in zip(a, b)]
    n = len(d)
    mean = sum(d) / n
    groups = {}
    for i, value in enumerate(d):
        groups.setdefault(cluster[i] if cluster else i, []).append(value - mean)
    se = math.sqrt(sum(sum(g) ** 2 for g in groups.values()) * len(groups) / (len(groups) - 1)) / n

    def tail(distance):
        t = distance / se
        return student_tail(t, len(groups) - 1) if t >= 0 else 1 - student_tail(-t, len(groups) - 1)

    above, below = tail(mean + margin), tail(margin - mean)
    return {"delta": mean, "se": se, "p_above": above, "p_below": below, "p": max(above, below), "equivalent": max(above, below) < alpha}


def samples(n, c):
    shares = [Fraction(x, y) for x, y in zip(c, n)]
    mean = sum(shares) / len(n)
    of_means = sum(p * (1 - p) / (s - 1) for p, s in zip(shares, n))
    population = sum((p - mean) ** 2 for p in shares) / (len(n) * (len(n) - 1))
    return {"mean": float(mean), "se_fixed": math.sqrt(of_means) / len(n), "se_population": math.sqrt(population),
            "sampling_variance": float(sum(p * (1 - p) * s / (s - 1) for p, s in zip(shares, n)) / len(n)),
            "question_variance": float(max(Fraction(0), population * len(n) - of_means / len(n)))}


def mcnemar_power(n, gain, loss, alpha):
    """Exact, by all numbers of items that turn and all splits of them."""
    turn, total = Fraction(gain) + Fraction(loss), Fraction(0)
    share = Fraction(gain) / turn
    for m in range(n + 1):
        weight = comb(n, m) * turn ** m * (1 - turn) ** (n - m)
        power = Fraction(0)
        for k in range(m + 1):
            p = min(Fraction(1), 2 * sum(comb(m, j) for j in range(min(k, m - k) + 1)) * Fraction(1, 2 ** m)) if 2 * k != m else Fraction(1)
            if p <= Fraction(alpha):
                power += comb(m, k) * share ** k * (1 - share) ** (m - k)
        total += weight * power
    return total


def pairs(gain, loss, alpha, power, ahead=32):
    kept, n = 0, 0
    while kept <= ahead:
        n += 1
        kept = kept + 1 if mcnemar_power(n, gain, loss, alpha) >= Fraction(power) else 0
    return n - ahead


def martingale(k, n, p0):
    """B(k + 1/2, n - k + 1/2) / (pi p0^k (1 - p0)^(n - k)), the beta function of half-integers by products."""
    value = Fraction(1)  # B(1/2, 1/2) = pi; B(a + 1, b) = B(a, b) a / (a + b)
    a, b = Fraction(1, 2), Fraction(1, 2)
    for _ in range(k):
        value, a = value * a / (a + b), a + 1
    for _ in range(n - k):
        value, b = value * b / (a + b), b + 1
    return value / (Fraction(p0) ** k * (1 - Fraction(p0)) ** (n - k))


def sequence(k, n, alpha):
    bound = 1 / Fraction(alpha)

    def edge(inside, outside):
        for _ in range(60):
            middle = (inside + outside) / 2
            if martingale(k, n, middle) < bound:
                inside = middle
            else:
                outside = middle
        return outside

    share = k / n
    return (0.0 if k == 0 else edge(share if k < n else 1 - 1e-15, 0.0)), (1.0 if k == n else edge(share if k else 1e-15, 1.0))


def sequential(values, p0, alpha):
    low, high, p, right, looked = 0.0, 1.0, 1.0, 0, 0
    for value in values:
        looked, right = looked + 1, right + value
        p = min(p, float(1 / martingale(right, looked, p0)))
        here = sequence(right, looked, alpha)
        low, high = max(low, here[0]), min(high, here[1])
        if p <= alpha:
            break
    return {"looked": looked, "right": right, "p": p, "decided": p <= alpha, "low": low, "high": high}


def intervals():
    for k1, n1, k2, n2 in ((56, 70, 48, 80), (9, 10, 3, 10), (0, 10, 0, 20), (10, 10, 0, 10), (382, 500, 387, 500)):
        for level in (0.9, 0.95):
            add("newcombe", {"k1": k1, "n1": n1, "k2": k2, "n2": n2, "level": level}, newcombe(k1, n1, k2, n2, level))
    for table in ((36, 12, 2, 0), (20, 12, 2, 16), (53, 0, 0, 1), (0, 0, 0, 5), (30, 0, 0, 0), (400, 30, 12, 58)):
        names = dict(zip(("both", "first", "second", "neither"), table))
        add("newcombe-paired", {**names, "level": 0.95}, newcombe_paired(*table, 0.95))
    add("bootstrap", {"a": [0, 1, 0], "b": [1, 2, 1], "draws": 50}, {"delta": 1.0, "se": 0.0, "low": 1.0, "high": 1.0, "p": 2 / 51})
    for text, low, high, cut in (("89.3", 89.25, 89.35, 89.4), ("70", 69.5, 70.5, 71.0)):
        add("rounding", {"published": text}, {"value": float(text)})
        assert abs((low + high) / 2 - float(text)) < 1e-9 and cut > high


def variances():
    rng = random.Random(5)
    for n in (2, 7, 30):
        drawn = [rng.choice((2, 4, 64)) for _ in range(n)]
        right = [rng.randint(0, s) for s in drawn]
        add("samples", {"n": drawn, "c": right}, samples(drawn, right))
    for n, groups in ((12, 0), (40, 8), (9, 3)):
        a = [round(rng.gauss(0, 1), 3) for _ in range(n)]
        b = [round(x + rng.gauss(0.1, 0.3), 3) for x in a]
        cluster = [i % groups for i in range(n)] if groups else []
        given = {"a": a, "b": b, "margin": 0.4, "alpha": 0.05}
        if groups:
            given["cluster"] = cluster
        add("equivalence", given, equivalence(a, b, cluster, 0.4, 0.05))


def sizes():
    for p1, p2, alpha, power in ((0.6, 0.7, 0.05, 0.8), (0.764, 0.858, 0.05, 0.9), (0.01, 0.2, 0.01, 0.8)):
        za, zb, mean = NORMAL.inv_cdf(1 - alpha / 2), NORMAL.inv_cdf(power), (p1 + p2) / 2
        n = (za * math.sqrt(2 * mean * (1 - mean)) + zb * math.sqrt(p1 * (1 - p1) + p2 * (1 - p2))) ** 2 / (p1 - p2) ** 2
        add("power-two", {"p1": p1, "p2": p2, "alpha": alpha, "power": power}, {"n": math.ceil(n)})
    for gain, loss in ((0.5, 0.125), (0.5, 0.0), (0.375, 0.0625)):
        n = pairs(gain, loss, 0.0625, 0.75)
        add("power-paired", {"gain": gain, "loss": loss, "alpha": 0.0625, "power": 0.75}, {"n": n, "power": float(mcnemar_power(n, gain, loss, 0.0625))})
    for margin, sd, delta in ((0.02, 0.4, 0.0), (1.0, 2.0, 0.3)):
        z, n = NORMAL.inv_cdf(0.95), 1
        while NORMAL.cdf((margin - delta) * math.sqrt(n) / sd - z) + NORMAL.cdf((margin + delta) * math.sqrt(n) / sd - z) - 1 < 0.8:
            n += 1
        add("power-equivalence", {"margin": margin, "sd": sd, "delta": delta, "alpha": 0.05, "power": 0.8}, {"n": n})
    add("power-samples", {"items": 30, "se": 0.016}, {"samples": math.ceil(0.25 / (30 * 0.016 ** 2))})
    add("power-samples", {"items": 30, "se": 0.02, "sampling_variance": 0.1}, {"samples": math.ceil(0.1 / (30 * 0.02 ** 2))})
    rng = random.Random(9)
    for p, p0, n in ((0.5, 0.5, 30), (0.9, 0.5, 40), (0.2, 0.6, 25)):
        values = [int(rng.random() < p) for _ in range(n)]
        add("sequential", {"values": values, "p0": p0, "alpha": 0.05}, sequential(values, p0, 0.05))


def main(path):
    with open(path, encoding="utf-8") as file:
        kept = [case for case in json.load(file) if case["name"] not in NAMES]
    intervals()
    variances()
    sizes()
    with open(path, "w", encoding="utf-8") as file:
        file.write("[\n" + ",\n".join(json.dumps(case) for case in kept + CASES) + "\n]\n")


if __name__ == "__main__":
    main(sys.argv[1])
