// lab: a complete stamp with two regions on one machine. `startLab` starts every process of it; layout.ts says where
// everything is, stamp-text.ts writes its stamp, seed.ts fills the home region, processes.ts starts and kills.

export { labModel, labPeople, labRegions, openLayout, type LabSecret, type Layout } from './layout.ts';
export { planProcesses, startProcess, type ProcessPlan, type RunningProcess } from './processes.ts';
export { serveLab, startLab, type Lab, type LabOptions } from './supervisor.ts';
