"""Writes tests/golden/math.json: pairs of answers in TeX and whether sympy says that they are the same value.

Every expression is drawn here, written by sympy's printer in two of its forms (as drawn, expanded, factored, simplified, with a
mutated number); sympy decides by 80 digits, at three random points where there are variables.

usage: make_math_goldens.py tests/golden/math.json      (a minute; needs sympy)
"""
import json
import random
import sys

import sympy as sp

random.seed(20261127)
X, Y, N = sp.symbols("x y n", positive=True)


def integer():
    return sp.Integer(random.choice([1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 18, 20, 27, 36, 45, 50, 72, 98, 125]))


def rational():
    return random.choice([-1, 1, 1]) * sp.Rational(integer(), integer())


def surd():
    return rational() * sp.sqrt(integer())


def sum_of_surds():
    return surd() + random.choice([rational(), surd(), surd() + rational()])


def over_surds():
    return sum_of_surds() / (surd() + rational())


def nested():
    return sp.sqrt(sp.expand((sp.sqrt(integer()) + sp.sqrt(integer())) ** 2), evaluate=False)


def higher_root():
    return rational() * sp.root(integer(), random.choice([3, 4, 5])) + rational()


def with_pi():
    return rational() * sp.pi ** random.choice([1, 1, 2]) + random.choice([0, rational(), surd()])


def angle():
    f = random.choice([sp.sin, sp.cos, sp.tan])
    return f(sp.pi * sp.Rational(random.randint(1, 11), random.choice([12, 5, 8, 10])), evaluate=False) * rational()


def complex_number():
    z = (integer() + sp.I * integer()) * (integer() - sp.I * integer())
    return random.choice([z, z / (integer() + sp.I), (integer() + sp.I * surd()) ** 2])


def logarithm():
    return random.choice([rational() * sp.log(integer() + 1) + sp.log(integer() + 1), sp.log(integer() + 1) / sp.log(integer() + 1)])


def exponential():
    return rational() * sp.exp(rational()) + random.choice([0, rational(), sp.exp(2)])


def polynomial():
    return random.choice([(X + rational()) * (X - integer()), (X + Y) ** 3 - rational() * Y, rational() * (X ** 2 - Y) * (X + integer()), (2 * N + 1) * (N + 1) * N / 6])


def rational_function():
    return random.choice([(X ** 2 - integer()) / (X + integer()), 1 / X + 1 / (X + integer()), (X + Y) / (X - Y) + rational(), X / (X + 1) - 1 / (X - 1)])


def roots_of_variables():
    return random.choice([sp.sqrt(X + integer()) * rational(), sp.sqrt(X) * (sp.sqrt(X) + rational()), sp.sin(X) ** 2 + rational() * sp.cos(X), sp.exp(X + 1) * rational(), 2 ** (N + 1) + rational()])


KINDS = [rational, surd, sum_of_surds, over_surds, nested, higher_root, with_pi, angle, complex_number, logarithm, exponential, polynomial, rational_function, roots_of_variables]
FORMS = [lambda e: e, sp.expand, sp.factor, sp.together, sp.radsimp]


def mutated(e):
    numbers = sorted((n for n in e.atoms(sp.Rational) if n not in (0, -1)), key=str)
    if not numbers:
        return e + sp.Rational(1, 7)
    n = random.choice(numbers)
    return e.xreplace({n: n + random.choice([1, -n / 2, sp.Rational(1, 9)])})


def same(a, b):
    d = a - b
    for _ in range(3):
        at = {s: sp.Rational(random.randint(11, 97), random.choice([7, 11, 13])) for s in d.free_symbols}
        value = abs(sp.N(d.subs(at), 80, maxn=400))
        if value > sp.Float("1e-60"):
            return False
    return True  # 80 digits at three points; what differs there by less would have to be made for it


def tex(e):
    return sp.latex(e, ln_notation=True)


def usable(e):
    return not e.has(sp.zoo, sp.nan, sp.oo) and len(tex(e)) < 90


def main(path):
    cases, seen = [], set()
    for kind in KINDS:
        made = {True: 0, False: 0}
        tries = 0
        while (made[True] < 9 or made[False] < 9) and tries < 150:
            tries += 1
            try:
                e = kind()
                a = random.choice(FORMS)(e)
                b = random.choice(FORMS)(mutated(e) if random.random() < 0.5 else e)
                if not (usable(a) and usable(b)):
                    continue
                pair = (tex(a), tex(b))
                equal = same(a, b)
            except (ZeroDivisionError, TypeError, ValueError):
                continue
            if made[equal] >= 9 or pair in seen or (equal and pair[0] == pair[1]):
                continue
            seen.add(pair)
            made[equal] += 1
            cases.append({"kind": kind.__name__, "a": pair[0], "b": pair[1], "same": bool(equal)})
    with open(path, "w") as out:
        out.write("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
    print(len(cases), "pairs,", sum(c["same"] for c in cases), "equal")


if __name__ == "__main__":
    main(sys.argv[1])
