"""Black's model of options on a forward (Black, 1976): prices, implied volatility, greeks.

Vectorised over n options. Undefined is NaN, with a reason.
"""

from __future__ import annotations

import msgspec
import numpy as np

from kitetui.engine.feed.batch import F64, I64, Bool

REASONS = ("", "no price", "expired", "below intrinsic", "above maximum", "ill-conditioned")
"""Why an implied volatility is undefined; '' where it is not."""
OK, NO_PRICE, EXPIRED, BELOW_INTRINSIC, ABOVE_MAXIMUM, ILL_CONDITIONED = range(6)

YEAR_DAYS = 365
ITERATIONS = 40
_SQRT_2PI = np.sqrt(2 * np.pi)
_SQRT_HALF = np.sqrt(0.5)
_SQRT_HALF_PI = np.sqrt(np.pi / 2)
_CONVERGED = 1e-6
"""Halley converges cubically: after a relative step this small the error is rounding."""

# Cody, Rational Chebyshev approximations for the error function (1969), as in CALERF.
_A = (3.16112374387056560e0, 1.13864154151050156e2, 3.77485237685302021e2,
      3.20937758913846947e3, 1.85777706184603153e-1)  # fmt: skip
_B = (2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3,
      2.84423683343917062e3)  # fmt: skip
_C = (5.64188496988670089e-1, 8.88314979438837594e0, 6.61191906371416295e1,
      2.98635138197400131e2, 8.81952221241769090e2, 1.71204761263407058e3,
      2.05107837782607147e3, 1.23033935479799725e3, 2.15311535474403846e-8)  # fmt: skip
_D = (1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2,
      1.62138957456669019e3, 3.29079923573345963e3, 4.36261909014324716e3,
      3.43936767414372164e3, 1.23033935480374942e3)  # fmt: skip
_P = (3.05326634961232344e-1, 3.60344899949804439e-1, 1.25781726111229246e-1,
      1.60837851487422766e-2, 6.58749161529837803e-4, 1.63153871373020978e-2)  # fmt: skip
_Q = (2.56852019228982242e0, 1.87295284992346725e0, 5.27905102951428412e-1,
      6.05183413124413191e-2, 2.33520497626869185e-3)  # fmt: skip


class Implied(msgspec.Struct):
    """Implied volatilities a year, f64 (n,), NaN where `reason` (i64, of REASONS) is not 0."""

    volatility: F64
    reason: I64


class Greeks(msgspec.Struct):
    """f64 (n,) each: delta; gamma; theta a calendar day; vega a volatility point."""

    delta: F64
    gamma: F64
    theta: F64
    vega: F64


def erfcx(x: F64) -> F64:
    """exp(x^2) erfc(x), full precision; infinite below -26.6."""
    y = np.abs(x)
    out = np.empty_like(y)
    small = y <= 0.46875
    large = y > 4.0
    middle = ~(small | large)
    if small.any():
        z = y[small]
        square = z * z
        top, bottom = _A[4] * square, square
        for a, b in zip(_A[:3], _B[:3], strict=True):
            top, bottom = (top + a) * square, (bottom + b) * square
        erf = z * (top + _A[3]) / (bottom + _B[3])
        out[small] = np.exp(square) * (1.0 - erf)
    if middle.any():
        z = y[middle]
        top, bottom = _C[8] * z, z
        for c, d in zip(_C[:7], _D[:7], strict=True):
            top, bottom = (top + c) * z, (bottom + d) * z
        out[middle] = (top + _C[7]) / (bottom + _D[7])
    if large.any():
        z = y[large]
        square = 1.0 / (z * z)
        top, bottom = _P[5] * square, square
        for p, q in zip(_P[:4], _Q[:4], strict=True):
            top, bottom = (top + p) * square, (bottom + q) * square
        out[large] = (5.6418958354775628695e-1 - square * (top + _P[4]) / (bottom + _Q[4])) / z
    negative = x < 0
    if negative.any():
        with np.errstate(over="ignore"):
            z = x[negative]
            out[negative] = 2.0 * np.exp(z * z) - out[negative]
    return out


def normal_cdf(x: F64) -> F64:
    """Standard normal distribution function, with full relative precision in the lower tail."""
    tail = 0.5 * np.exp(-0.5 * x * x) * erfcx(np.abs(x) * _SQRT_HALF)
    return np.where(x < 0, tail, 1.0 - tail)


def normal_pdf(x: F64) -> F64:
    """Standard normal density."""
    density: F64 = np.exp(-0.5 * x * x) / _SQRT_2PI
    return density


def price(forward: F64, strike: F64, years: F64, rate: float, volatility: F64, call: Bool) -> F64:
    """Discounted value."""
    spread = volatility * np.sqrt(years)
    with np.errstate(divide="ignore", invalid="ignore"):
        d1 = np.log(forward / strike) / spread + spread / 2
    sign = np.where(call, 1.0, -1.0)
    value = sign * (forward * normal_cdf(sign * d1) - strike * normal_cdf(sign * (d1 - spread)))
    discounted: F64 = np.exp(-rate * years) * value
    return discounted


def implied_volatility(
    forward: F64, strike: F64, years: F64, rate: float, value: F64, call: Bool, *,
    tick: F64 | float = 0.0, max_points: float = np.inf,
) -> Implied:  # fmt: skip
    """The volatility at which `price` gives `value`.

    Args:
        value: discounted price, rupees; NaN where there is none.
        tick: price step; an extrinsic value below half of it tells nothing.
        max_points: volatility points that one tick may be worth; beyond it the quote tells
            nothing either.
    """
    n = len(forward)
    reason = np.zeros(n, np.int64)
    with np.errstate(invalid="ignore", over="ignore"):
        grown = value * np.exp(rate * years)
        intrinsic = np.maximum(np.where(call, forward - strike, strike - forward), 0.0)
        extrinsic = grown - intrinsic
        ceiling = np.where(call, forward, strike)
        for code, broken in (
            (ILL_CONDITIONED, extrinsic < np.asarray(tick) / 2),
            # In the money the extrinsic value is a difference: below this it is rounding.
            (ILL_CONDITIONED, extrinsic <= np.where(intrinsic > 0, 1e-11 * forward, 0.0)),
            (ABOVE_MAXIMUM, grown >= ceiling),
            (BELOW_INTRINSIC, extrinsic < -1e-9 * forward),
            (NO_PRICE, ~(value > 0) | ~(forward > 0) | ~(strike > 0)),
            (EXPIRED, ~(years > 0)),
        ):
            reason[broken] = code
    out = np.full(n, np.nan)
    good = np.flatnonzero(reason == OK)
    if len(good):
        f, k, root = forward[good], strike[good], np.sqrt(years[good])
        spread = _solve(np.log(f / k), extrinsic[good] / np.sqrt(f * k))
        out[good] = spread / root
        d1 = np.log(f / k) / spread + spread / 2
        with np.errstate(divide="ignore"):
            vega_point = f * np.exp(-rate * years[good]) * normal_pdf(d1) * root * 0.01
            told = np.broadcast_to(tick, n)[good] / vega_point <= max_points
        told &= np.isfinite(spread)
        reason[good[~told]] = ILL_CONDITIONED
        out[good[~told]] = np.nan
    return Implied(out, reason)


def _solve(x: F64, wanted: F64) -> F64:
    """Total volatility s at which the out-of-the-money option is worth `wanted`.

    Both prices are over sqrt(FK); x = ln(F / K). By parity the out-of-the-money side holds the
    extrinsic value of both. Halley's method on the logarithm of the price, kept in a bracket:
    the logarithm is nearly parabolic where the price itself is flat.
    """
    x = -np.abs(x)
    target = np.log(wanted)
    near = np.sqrt(2 * np.pi) * wanted
    with np.errstate(divide="ignore", invalid="ignore"):
        far = -x / np.sqrt(2.0 * np.maximum(-target, 1e-3))
    s: F64 = np.clip(near + far, 1e-9, 20.0)
    low, high = np.full_like(s, 1e-12), np.full_like(s, 40.0)
    active = np.arange(len(s))
    for _ in range(ITERATIONS):
        at, goal = x[active], target[active]
        here = s[active]
        slant, half = at / here, here / 2
        both = erfcx(np.concatenate([-slant - half, half - slant]) * _SQRT_HALF)
        upper, lower = both[: len(at)], both[len(at) :]
        # price / (sqrt(FK) pdf(d1) e^(x/2)); pdf(d1) e^(x/2) is symmetric in x.
        ratio = _SQRT_HALF_PI * (upper - lower)
        exponent = -0.5 * (slant * slant + half * half)
        gap = np.log(ratio / _SQRT_2PI) + exponent - goal
        slope = 1.0 / ratio
        bend = slope * ((at * at) / here**3 - here / 4 - slope)
        low[active] = np.where(gap < 0, here, low[active])
        high[active] = np.where(gap > 0, here, high[active])
        newton = gap / slope
        step = newton / np.maximum(1.0 - 0.5 * newton * bend / slope, 0.5)
        moved = here - step
        outside = ~((moved > low[active]) & (moved < high[active]))
        moved[outside] = np.sqrt(low[active] * high[active])[outside]
        s[active] = moved
        active = active[np.abs(moved - here) > _CONVERGED * here]
        if not len(active):
            break
    return s


def greeks(forward: F64, strike: F64, years: F64, rate: float, volatility: F64, call: Bool) -> (
        Greeks):  # fmt: skip
    """Sensitivities of `price`; NaN where the volatility is."""
    root = np.sqrt(years)
    spread = volatility * root
    with np.errstate(divide="ignore", invalid="ignore"):
        d1 = np.log(forward / strike) / spread + spread / 2
        discount = np.exp(-rate * years)
        density = discount * normal_pdf(d1)
        sign = np.where(call, 1.0, -1.0)
        first, second = normal_cdf(sign * d1), normal_cdf(sign * (d1 - spread))
        decay = -forward * density * volatility / (2 * root)
        carry = rate * discount * sign * (forward * first - strike * second)
        return Greeks(
            delta=sign * discount * first,
            gamma=density / (forward * spread),
            theta=(decay + carry) / YEAR_DAYS,
            vega=forward * density * root * 0.01,
        )
