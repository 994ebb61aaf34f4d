// Puts the page together: every panel listens to the link and writes its own part.

import { Api } from "./api.js";
import { Example } from "./example.js";
import { Findings } from "./findings.js";
import { Gimbal } from "./gimbal.js";
import { Header } from "./header.js";
import { Health } from "./health.js";
import { Link } from "./link.js";
import { MapSwitch } from "./map_switch.js";
import { Maps } from "./maps.js";
import { Mission } from "./mission.js";
import { Nodes } from "./nodes.js";
import { Panorama } from "./panorama.js";
import { Picture } from "./picture.js";
import { Proposals } from "./proposals.js";
import { Recorder } from "./recorder.js";
import { ScanForm } from "./scan_form.js";
import { Session } from "./session.js";
import { Steering } from "./steering.js";
import { Weights } from "./weights.js";
import { WordList } from "./word_list.js";

const link = new Link();
const api = new Api(link);
const steering = new Steering(link, api);
const session = new Session(link);
new Header(link, api, steering, session);
new Picture(link, api, steering);
new Gimbal(link, api, steering);
const panorama = new Panorama(link, api);
const weights = new Weights(panorama, link, api);
const form = new ScanForm(link, api, weights);
new MapSwitch({ link, api, panorama, weights, form });
new Mission(link, api);
new WordList(link, api);
new Example(link, api, form);
new Proposals(link, api);
new Findings(link);
new Maps(link);
new Health(link);
new Recorder(link, api);
new Nodes(link);

// A hand that leaves the page steers no more.
window.addEventListener("blur", () => steering.end());
