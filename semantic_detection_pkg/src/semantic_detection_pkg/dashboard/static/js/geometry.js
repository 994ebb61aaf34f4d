// Bearings: yaw + is left, pitch + is nose down. The same pinhole and the same order of rotation (yaw, roll, pitch) as
// in common/core/optics.py.

/** Bearing of a point of the picture, given in -0.5..0.5 from its middle, right and down. */
export function bearingOf(view, right, down) {
  const focal = 0.5 / Math.tan(view.hfov_rad / 2); // in picture widths
  const x = right / focal;
  const y = (down * (view.height / view.width)) / focal;
  const [cosRoll, sinRoll] = [Math.cos(view.roll_rad), Math.sin(view.roll_rad)];
  const [cosPitch, sinPitch] = [Math.cos(view.pitch_rad), Math.sin(view.pitch_rad)];
  const forward = cosPitch - y * sinPitch;
  const below = sinPitch + y * cosPitch;
  const toRight = x * cosRoll - below * sinRoll;
  const toGround = x * sinRoll + below * cosRoll;
  return {
    yaw_rad: view.yaw_rad - Math.atan2(toRight, forward),
    pitch_rad: Math.atan2(toGround, Math.hypot(forward, toRight)),
  };
}

/** Corners and edges of the view as bearings, for drawing its outline. */
export function outlineOf(view, steps = 6) {
  const edge = [];
  for (let i = 0; i < steps; i++) edge.push([-0.5 + i / steps, -0.5]);
  for (let i = 0; i < steps; i++) edge.push([0.5, -0.5 + i / steps]);
  for (let i = 0; i < steps; i++) edge.push([0.5 - i / steps, 0.5]);
  for (let i = 0; i < steps; i++) edge.push([-0.5, 0.5 - i / steps]);
  return edge.map(([right, down]) => bearingOf(view, right, down));
}

/** The view of the newest gimbal state, where no picture tells it. */
export function viewOfGimbal(gimbal, aspect = 9 / 16) {
  if (!gimbal || !gimbal.hfov_rad) return null;
  return {
    yaw_rad: gimbal.yaw_rad, pitch_rad: gimbal.pitch_rad, roll_rad: gimbal.roll_rad,
    hfov_rad: gimbal.hfov_rad, width: 1, height: aspect,
  };
}
