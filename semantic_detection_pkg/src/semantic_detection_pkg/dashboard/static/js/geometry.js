// Bearings: yaw + is left, pitch + is nose down. The same pinhole as in core/optics.py.

/** Bearing of a point of the picture, given in -0.5..0.5 from its middle, right and down. */
export function bearingOf(view, right, down) {
  const focal = 0.5 / Math.tan(view.hfov_rad / 2); // in picture widths
  const x = right / focal;
  const y = (down * (view.height / view.width)) / focal;
  const [cosRoll, sinRoll] = [Math.cos(view.roll_rad), Math.sin(view.roll_rad)];
  const levelRight = x * cosRoll - y * sinRoll;
  const levelDown = x * sinRoll + y * cosRoll;
  const [cosPitch, sinPitch] = [Math.cos(view.pitch_rad), Math.sin(view.pitch_rad)];
  const forward = cosPitch - levelDown * sinPitch;
  const up = -sinPitch - levelDown * cosPitch;
  return {
    yaw_rad: view.yaw_rad - Math.atan2(levelRight, forward),
    pitch_rad: Math.atan2(-up, Math.hypot(forward, levelRight)),
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
