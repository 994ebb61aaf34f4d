# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
# cython: cdivision=True
"""What the tracker computes of all tracks and detections of a frame; see the twin, of which this
has the bits: one pass over all pairs in place of an array for each operation.

Functions whose last bits differ between libraries are NumPy's; hypot is the C library's in both.
"""

from libc.math cimport INFINITY, M_PI, NAN, fabs, fmax, fmin, fmod, hypot, sqrt
from libc.stdint cimport uint8_t

import numpy as np

cdef double LOG_HALF = np.log(0.5)
cdef double TAU = 2.0 * M_PI
cdef double LEAST_DEPTH = 1e-6  # `optics._LEAST_DEPTH`
cdef double WIDEST_BOX_RAD = 1.5  # `optics._WIDEST_BOX_RAD`
cdef int LOGS = 9  # of each pair


cdef struct View:
    double width, height, focal
    double axes[3][3]  # rows of the rotation


cdef View view_of(object view):
    cdef View known
    cdef const double[:, ::1] rotation = view.rotation
    cdef int i, k
    known.width, known.height, known.focal = view.width, view.height, view.pixels_per_rad
    for i in range(3):
        for k in range(3):
            known.axes[i][k] = rotation[i, k]
    return known


cdef inline double least(double a, double b) noexcept nogil:
    """The lesser; as `numpy.minimum` for numbers."""
    return a if a < b else b


cdef inline double most(double a, double b) noexcept nogil:
    return a if a > b else b


cdef inline double in_range(double angle) noexcept nogil:
    """The angle within -pi..pi, as `optics.wrapped`."""
    cdef double rest = fmod(angle + M_PI, TAU)
    if rest < 0.0:
        rest += TAU
    return rest - M_PI


cdef inline void ray(const View* view, double x, double y, double* out) noexcept nogil:
    """The vector of a point [px] in the base frame, of depth 1."""
    cdef double right = (x - view.width / 2.0) / view.focal
    cdef double down = (y - view.height / 2.0) / view.focal
    cdef int k
    for k in range(3):
        out[k] = right * view.axes[0][k] + down * view.axes[1][k] + view.axes[2][k]


# ------------------------------------------------------------------------------------- states


def predict(states, is_followed, const double[:, ::1] terms, double trust, double most_variance):
    cdef const double[:, ::1] position = states[0], rate = states[1], position_variance = states[2]
    cdef const double[:, ::1] rate_variance = states[3], covariance = states[4]
    cdef const uint8_t[::1] followed = is_followed.view(np.uint8)
    cdef Py_ssize_t count = position.shape[0], i
    cdef int k, which
    after = np.empty((5, count, 2))
    cdef double[:, :, ::1] out = after
    cdef double keep, reach, moved, variance, square, trusted, shared, limit, spread
    for i in range(count):
        which = followed[i]
        keep, reach = terms[which, 0], terms[which, 1]
        for k in range(2):
            variance = (
                position_variance[i, k]
                + 2.0 * reach * covariance[i, k]
                + reach * reach * rate_variance[i, k]
                + most(terms[which, 2], 0.0)
            )
            spread = keep * keep * rate_variance[i, k] + terms[which, 4]
            shared = keep * (covariance[i, k] + reach * rate_variance[i, k]) + terms[which, 3]
            variance = least(variance, most_variance)
            limit = 0.99 * sqrt(variance * spread)
            trusted = 1.0
            if not which:
                square = rate[i, k] * rate[i, k]
                trusted = square / (square + trust * rate_variance[i, k])
            moved = position[i, k] + reach * rate[i, k] * trusted
            out[0, i, k] = in_range(moved) if k == 0 else moved
            out[1, i, k] = keep * rate[i, k]
            out[2, i, k] = variance
            out[3, i, k] = spread
            out[4, i, k] = least(most(shared, -limit), limit)
    return after


def correct(
    states, const Py_ssize_t[::1] rows, const double[:, ::1] innovations,
    const double[:, ::1] variances, tells_rate, is_growth,
):
    cdef double[:, ::1] position = states[0], rate = states[1], position_variance = states[2]
    cdef double[:, ::1] rate_variance = states[3], covariance = states[4]
    cdef const uint8_t[::1] tells = tells_rate.view(np.uint8)
    cdef const uint8_t[:, ::1] grows = is_growth.view(np.uint8)
    cdef Py_ssize_t pair, row
    cdef int k
    cdef double before, shared, total, gain, rate_gain, measured, moved
    for pair in range(rows.shape[0]):
        row = rows[pair]
        for k in range(2):
            moved = position[row, k] + (innovations[pair, k] if grows[pair, k] else 0.0)
            if k == 0:
                moved = in_range(moved)
            measured = 0.0 if grows[pair, k] else innovations[pair, k]
            before, shared = position_variance[row, k], covariance[row, k]
            total = before + variances[pair, k]
            gain = before / total
            rate_gain = shared / total if tells[pair] else 0.0
            moved = moved + gain * measured
            position[row, k] = in_range(moved) if k == 0 else moved
            rate[row, k] += rate_gain * measured
            position_variance[row, k] = (1.0 - gain) * before
            covariance[row, k] = (1.0 - gain) * shared if tells[pair] else 0.0
            rate_variance[row, k] -= rate_gain * shared


# ------------------------------------------------------------------- detections and expectations


def observe(view, const double[:, ::1] boxes, tuple near_px, tuple noise, tuple turn_variances):
    cdef View known = view_of(view)
    cdef Py_ssize_t count = boxes.shape[0], i
    is_cut, found = np.empty((count, 4), bool), np.empty((count, 2))
    cdef uint8_t[:, ::1] cut = is_cut.view(np.uint8)
    cdef double[:, ::1] variances = found
    cdef double near_x = near_px[0], near_y = near_px[1], box_px = noise[0], box_share = noise[1]
    cdef double cut_share = noise[2], pose = noise[3] ** 2
    cdef double yaw_turn = turn_variances[0], pitch_turn = turn_variances[1]
    cdef double width, height, sigma, sigma_x, sigma_y, level, square, yaw_x, yaw_y, pitch_x, pitch_y
    cdef double at[3]
    cdef double right[3]
    cdef double down[3]
    cdef int k
    for k in range(3):
        right[k] = known.axes[0][k] / known.focal
        down[k] = known.axes[1][k] / known.focal
    for i in range(count):
        cut[i, 0], cut[i, 1] = boxes[i, 0] <= near_x, boxes[i, 1] <= near_y
        cut[i, 2] = boxes[i, 2] >= known.width - near_x
        cut[i, 3] = boxes[i, 3] >= known.height - near_y
        width, height = boxes[i, 2] - boxes[i, 0], boxes[i, 3] - boxes[i, 1]
        sigma = box_px + box_share * most(most(width, height), 0.0)
        level = cut_share if cut[i, 0] or cut[i, 1] or cut[i, 2] or cut[i, 3] else 0.0
        sigma_x, sigma_y = sigma + width * level, sigma + height * level
        ray(
            &known, (boxes[i, 0] + boxes[i, 2]) / 2.0, (boxes[i, 1] + boxes[i, 3]) / 2.0, at
        )
        level = most(hypot(at[0], at[1]), LEAST_DEPTH)
        square = level * level
        yaw_x = (at[0] * right[1] - at[1] * right[0]) / square * sigma_x
        yaw_y = (at[0] * down[1] - at[1] * down[0]) / square * sigma_y
        pitch_x = (at[2] * (at[0] * right[0] + at[1] * right[1]) / level - level * right[2]) / (
            square + at[2] * at[2]
        ) * sigma_x
        pitch_y = (at[2] * (at[0] * down[0] + at[1] * down[1]) / level - level * down[2]) / (
            square + at[2] * at[2]
        ) * sigma_y
        variances[i, 0] = yaw_x * yaw_x + yaw_y * yaw_y + pose + yaw_turn
        variances[i, 1] = pitch_x * pitch_x + pitch_y * pitch_y + pose + pitch_turn
    return is_cut, found


def expect(
    view, positions, sizes_rad, const double[:, ::1] variances, double margin, double least_px
):
    cdef View known = view_of(view)
    cdef Py_ssize_t count = len(positions), i
    angles = np.array(positions.T, order="C")
    cdef const double[:, ::1] cosines = np.cos(angles), sines = np.sin(angles)
    cdef const double[:, ::1] tangents = np.tan(np.clip(sizes_rad, 0.0, WIDEST_BOX_RAD))
    expected, is_near, is_due = np.empty((count, 4)), np.empty(count, bool), np.empty(count, bool)
    cdef double[:, ::1] boxes = expected
    cdef uint8_t[::1] near = is_near.view(np.uint8), due = is_due.view(np.uint8)
    cdef double x, y, z, depth, scale, offset, other, t, away, square, half, middle, size, side
    cdef double points[2]
    cdef double sizes[2]
    cdef double longest
    cdef int k
    sizes[0], sizes[1] = known.width, known.height
    for i in range(count):
        x, y, z = cosines[1, i] * cosines[0, i], cosines[1, i] * sines[0, i], -sines[1, i]
        depth = known.axes[2][0] * x + known.axes[2][1] * y + known.axes[2][2] * z
        scale = known.focal / (depth if depth > LEAST_DEPTH else NAN)
        for k in range(2):
            points[k] = sizes[k] / 2.0 + (
                known.axes[k][0] * x + known.axes[k][1] * y + known.axes[k][2] * z
            ) * scale
        near[i] = due[i] = True
        longest = -INFINITY
        for k in range(2):
            offset = points[k] - sizes[k] / 2.0
            other = points[1 - k] - sizes[1 - k] / 2.0
            t, away = tangents[i, k], hypot(known.focal, other)
            square = away * away + offset * offset
            half = t * square / (away + sqrt(away * away + t * t * square))
            boxes[i, k], boxes[i, 2 + k] = points[k] - half, points[k] + half
            # From the edges, as the callers have them.
            middle, side = (boxes[i, k] + boxes[i, 2 + k]) / 2.0, boxes[i, 2 + k] - boxes[i, k]
            size = sizes[k]
            if not fabs(middle - size / 2.0) - side / 2.0 <= (0.5 + margin) * size:
                near[i] = False
            if not least(middle, size - middle) - sqrt(variances[i, k]) * known.focal > 0.0:
                due[i] = False
            longest = most(longest, side)
        if not longest >= least_px:
            due[i] = False
    return expected, is_near, is_due


# -------------------------------------------------------------------------------------- pairs


cdef struct Rules:
    double widest, growth_share, small_share
    double size_sigma, growth_sigma, unknown_sigma, small_px, reference
    double position_gate, size_gate, other_cost, other_gate, miss_cost, least_sizes


cdef Rules rules_of(rules):
    cdef Rules known
    (
        known.widest, known.growth_share, known.small_share, known.size_sigma, known.growth_sigma,
        known.unknown_sigma, known.small_px, known.reference,
        known.position_gate, known.size_gate, known.other_cost, known.other_gate,
        known.miss_cost, known.least_sizes,
    ) = rules
    return known


cdef void complete(
    const double* found, const double* known, const uint8_t* cut, bint is_size_known,
    const Rules* rules, const double* fields, double* angles, uint8_t* part,
) noexcept nogil:
    """The whole box of a detection if it were a track, in angles off the axis; where only a part."""
    cdef int k
    cdef double size, low, high, slack
    cdef bint is_low, is_high, is_across, is_small
    for k in range(2):
        is_low, is_high = cut[k], cut[2 + k]
        is_across = cut[1 - k] or cut[3 - k]
        size = known[2 + k] - known[k]
        is_small = is_size_known and found[2 + k] - found[k] < rules.small_share * size
        part[k] = (is_low and is_high) or is_across or (is_small and (is_low or is_high))
        slack = rules.growth_share * fields[k] if part[k] else 0.0
        low, high = found[k] + slack, found[2 + k] - slack
        angles[k], angles[2 + k] = low, high
        if is_low or part[k]:
            angles[k] = least(low, known[k] if part[k] else high - size)
        if is_high or part[k]:
            angles[2 + k] = most(high, known[2 + k] if part[k] else low + size)


cdef void space(
    const double[:, ::1] found, const double[:, ::1] known, const Py_ssize_t[::1] labels,
    const Py_ssize_t[::1] track_labels, double least_sizes, double[:, ::1] spacings,
) noexcept nogil:
    """How far off the nearest other thing of its class is, where each track meets a detection."""
    cdef Py_ssize_t i, j, other, tracks = known.shape[0]
    cdef double x, y, first, second, nearest, far, side
    cdef bint is_alike
    for j in range(found.shape[0]):
        x, y = (found[j, 0] + found[j, 2]) / 2.0, (found[j, 1] + found[j, 3]) / 2.0
        first = second = INFINITY
        for i in range(tracks):
            far = INFINITY
            if track_labels[i] == labels[j]:
                far = norm(
                    (known[i, 0] + known[i, 2]) / 2.0 - x, (known[i, 1] + known[i, 3]) / 2.0 - y
                )
            spacings[i, j] = far
            if far < first:
                first, second = far, first
            elif far < second:
                second = far
        nearest = INFINITY
        for other in range(found.shape[0]):
            if other == j:
                continue
            is_alike = labels[other] == labels[j]
            if not is_alike:  # of one class where the same tracks are of another
                is_alike = True
                for i in range(tracks):
                    if track_labels[i] == labels[j] or track_labels[i] == labels[other]:
                        is_alike = False
                        break
            if is_alike:
                nearest = least(nearest, norm(
                    x - (found[other, 0] + found[other, 2]) / 2.0,
                    y - (found[other, 1] + found[other, 3]) / 2.0,
                ))
        side = least_sizes * most(most(found[j, 2] - found[j, 0], found[j, 3] - found[j, 1]), 0.0)
        for i in range(tracks):
            far = INFINITY
            if tracks > 1:
                far = second if spacings[i, j] == first else first
            spacings[i, j] = most(least(far, nearest), side)


cdef inline double norm(double x, double y) noexcept nogil:
    return sqrt(x * x + y * y)


def pair_costs(
    view, const double[:, ::1] boxes, is_cut, const double[:, ::1] variances,
    const Py_ssize_t[::1] labels, const double[:, ::1] expected,
    const double[:, ::1] track_variances, const Py_ssize_t[::1] track_labels, is_size_known,
    double new_share, rules,
):
    cdef View camera = view_of(view)
    cdef Rules rule = rules_of(rules)
    cdef const uint8_t[:, ::1] cut = is_cut.view(np.uint8)
    cdef const uint8_t[::1] size_known = is_size_known.view(np.uint8)
    cdef Py_ssize_t n = expected.shape[0], m = boxes.shape[0], i, j, pair, used = 0
    cdef int k
    cdef double fields[2]
    cdef double middle[2]
    middle[0], middle[1] = camera.width / 2.0, camera.height / 2.0
    fields[0], fields[1] = view.hfov_rad, view.vfov_rad

    costs, possible = np.empty((n, m)), np.zeros((n, m), bool)
    completed, off, parts = np.empty((n, m, 4)), np.empty((n, m, 2)), np.empty((n, m, 2), bool)
    costs.fill(rule.miss_cost)
    if n == 0 or m == 0:
        return costs, possible, completed, off, parts
    cdef double[:, ::1] cost = costs
    cdef uint8_t[:, ::1] is_possible = possible.view(np.uint8)
    cdef double[:, :, ::1] whole = completed, apart = off
    cdef uint8_t[:, :, ::1] part = parts.view(np.uint8)

    # Edges as angles off the axis: all detections, then all tracks.
    edges = np.empty((m + n, 4))
    cdef double[:, ::1] edge = edges
    for i in range(m + n):
        for k in range(4):
            edge[i, k] = (
                (boxes[i, k] if i < m else expected[i - m, k]) - middle[k % 2]
            ) / camera.focal
    flat = np.arctan(edges)
    cdef const double[:, ::1] found = flat[:m], known = flat[m:]

    all_angles, clipped = np.empty((n, m, 4)), np.empty((n, m, 4))
    cdef double[:, :, ::1] angles = all_angles, narrow = clipped
    for i in range(n):
        for j in range(m):
            complete(
                &found[j, 0], &known[i, 0], &cut[j, 0], size_known[i], &rule, fields,
                &angles[i, j, 0], &part[i, j, 0],
            )
            for k in range(4):
                narrow[i, j, k] = least(most(angles[i, j, k], -rule.widest), rule.widest)
    cdef const double[:, :, ::1] tangents = np.tan(clipped)

    # Bearings of their middles: all pairs, then all tracks.
    rays = np.empty((4, n * m + n))
    cdef double[:, ::1] at = rays
    cdef double vector[3]
    for i in range(n):
        for j in range(m):
            for k in range(4):
                whole[i, j, k] = middle[k % 2] + tangents[i, j, k] * camera.focal
            pair = i * m + j
            ray(
                &camera, (whole[i, j, 0] + whole[i, j, 2]) / 2.0,
                (whole[i, j, 1] + whole[i, j, 3]) / 2.0, vector,
            )
            at[0, pair], at[1, pair], at[2, pair] = vector[0], vector[1], -vector[2]
            at[3, pair] = hypot(vector[0], vector[1])
        pair = n * m + i
        ray(
            &camera, (expected[i, 0] + expected[i, 2]) / 2.0,
            (expected[i, 1] + expected[i, 3]) / 2.0, vector,
        )
        at[0, pair], at[1, pair], at[2, pair] = vector[0], vector[1], -vector[2]
        at[3, pair] = hypot(vector[0], vector[1])
    cdef const double[::1] yaws = np.arctan2(rays[1], rays[0])
    cdef const double[::1] pitches = np.arctan2(rays[2], rays[3])

    # What is too far off needs no logarithm.
    distances, numbers = np.empty((n, m)), np.empty(n * m, np.intp)
    cdef double[:, ::1] distance = distances
    cdef Py_ssize_t[::1] number = numbers
    cdef double total[2]
    for i in range(n):
        for j in range(m):
            pair = i * m + j
            apart[i, j, 0] = in_range(yaws[pair] - yaws[n * m + i])
            apart[i, j, 1] = in_range(pitches[pair] - pitches[n * m + i])
            for k in range(2):
                total[k] = track_variances[i, k] + variances[j, k]
            distance[i, j] = (
                apart[i, j, 0] * apart[i, j, 0] / total[0]
                + apart[i, j, 1] * apart[i, j, 1] / total[1]
            )
            if distance[i, j] <= rule.position_gate:
                number[used] = pair
                used += 1
    if used == 0:
        return costs, possible, completed, off, parts

    spaced = np.empty((n, m))
    cdef double[:, ::1] spacing = spaced
    if new_share > 0.0:
        space(found, known, labels, track_labels, rule.least_sizes, spacing)
    ratios = np.ones((used, LOGS))
    cdef double[:, ::1] ratio = ratios
    cdef double small = rule.small_px / camera.focal
    for pair in range(used):
        i, j = number[pair] // m, number[pair] % m
        for k in range(2):
            total[k] = track_variances[i, k] + variances[j, k]
            ratio[pair, k] = (
                most(angles[i, j, 2 + k] - angles[i, j, k], 0.0) + small
            ) / (known[i, 2 + k] - known[i, k] + small)
            ratio[pair, 2 + k] = total[k] / rule.reference
            if new_share > 0.0:
                ratio[pair, 4 + k] = total[k]
                ratio[pair, 6 + k] = least(2.0 * variances[j, k], total[k])
        if new_share > 0.0:
            ratio[pair, 8] = spacing[i, j] * spacing[i, j] / (2.0 * new_share)
    cdef const double[:, ::1] logs = np.log(ratios)

    cdef double misfit, price, limit, sigma, square
    cdef bint is_other, is_whole
    for pair in range(used):
        i, j = number[pair] // m, number[pair] % m
        misfit = 0.0
        for k in range(2):
            sigma = rule.growth_sigma if part[i, j, k] else rule.size_sigma
            if not size_known[i]:
                sigma = rule.unknown_sigma
            square = logs[pair, k] / sigma
            misfit += square * square
        is_other = track_labels[i] != labels[j]
        price = distance[i, j] + misfit + (logs[pair, 2] + logs[pair, 3])
        if is_other:
            price += rule.other_cost
        if not (misfit <= rule.size_gate and price < rule.miss_cost):
            continue
        is_whole = not (cut[j, 0] or cut[j, 1] or cut[j, 2] or cut[j, 3])
        if is_other and not (is_whole and distance[i, j] + misfit <= rule.other_gate):
            continue
        if new_share > 0.0:
            limit = 2.0 * logs[pair, 8]
            square = 0.0
            for k in range(2):
                total[k] = track_variances[i, k] + variances[j, k]
                square += apart[i, j, k] * apart[i, j, k] / least(2.0 * variances[j, k], total[k])
            if not (
                distance[i, j] + (logs[pair, 4] + logs[pair, 5]) <= limit
                or square - 2.0 * LOG_HALF + (logs[pair, 6] + logs[pair, 7]) <= limit
            ):
                continue
        is_possible[i, j] = True
        cost[i, j] = price
    return costs, possible, completed, off, parts
