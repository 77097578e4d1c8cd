// Package campaign decides who is texted, when, with what, and what became of it.
//
// A patient list is screened into an audience ([Screener]); an audience, a text, a policy and a team make a [Campaign], which a
// second person approves; at launch every invited patient gets one [message] per step in a fixed order that mirrors the list ([Order]).
// From then on these loops run, each a Tick that a test can call:
//
//   - the [Pacer] reads one snapshot per team, asks throttle.Decide how many may go, and moves that many messages from planned to
//     released; the queue is rung after the commit;
//   - the [Dispatcher] answers the bell: it claims a message in one durable transaction that re-checks everything, only then lets the
//     gateway write, and records what came back;
//   - the [Reconciler] looks for texts whose outcome is unknown at the provider, and settles them by evidence or leaves them to a person;
//   - the [Sweeper] asks the provider about texts whose receipts have not come.
//
// A last one, the [Quarantine], watches whether the database has forgotten something: a restored backup, a standby that took over. Then
// nothing is released, claimed or planned again, in any process, until the journals have given back opt-outs and self-referrals, two
// complete listings of the provider, the settle time apart, have told which texts left, and a person has accepted what nothing gives back.
// At each start it compares one page of the provider's newest texts with the database, because a machine that was put back as a whole
// remembers nothing itself. It waits thirty seconds for that page and then lets sending begin with a warning: a provider whose listing is
// out of order must not stop a service for ever, and what would have to come together with that outage is a restore of data and keys at
// once. It goes on asking, and a quarantine can begin at any time.
//
// The database is the truth and the queue a doorbell: a lost, doubled, late or forged ring can cause nothing but a claim that fails.
// Besides the steps of campaigns there are texts that belong to a self-referral, such as the confirmation of a form: see [Service]. They have
// rows, ids and counters of their own in the store, because nothing paces them and no funnel counts them, and go through the same table, the
// same claim, the same gateway and the same webhooks.
//
// All state changes go through one pure table, [Next]; the store applies guarded rows and decides nothing. Nobody is texted twice,
// because a text may leave only after its intent is durable, and an intent whose outcome is unknown is never sent again by itself.
//
// # What holds, and the test that would fail
//
// Each of these is a promise of the design. The tests named after it fail if it is broken; a test of cmd/wellpaced checks that they exist.
//
//   - A ring carries ids only: campaign/queue.TestQueue_GivesUpAfterAFewTries, cmd/wellpaced.TestCanary
//   - A lost ring is rung again: campaign.TestPacer_ringsAgain, campaign/queue.TestQueue_SurvivesAnEmptiedRedis,
//     cmd/wellpaced.TestCrashPoints/after_release_before_ring, cmd/wellpaced.TestCrashPoints/after_ring
//   - A doubled or late ring causes a claim that fails: store.TestOneOfManyClaimsWins, store.TestOverlap_pauseAndResumeWithReleasedRows,
//     cmd/wellpaced.TestCrashPoints/ring_twice, cmd/wellpaced.TestQueueAnswersARingTwice
//   - A forged ring is dropped: campaign/queue.TestQueue_DropsForgedRings
//   - A message lives as [Next] says, and in no other way: campaign.TestNext_asDrawn, campaign.TestNoWayBackOnceTheProviderHasIt
//   - Only a definite refusal plans a message again or rejects it; whatever proves nothing makes it unknown:
//     campaign/twilio.TestGateway_Send_underEachFault, campaign/twilio.TestGateway_Send_neverDeniesWhatLeft, campaign/twilio.TestClassify,
//     store.TestLifeOfATextOnBothEngines
//   - Pause, stop, brake and the end of the window bring released messages back: store.TestOverlap_pauseAndResumeWithReleasedRows,
//     store.TestClaimChecksAgain
//   - An unknown message rests for the settle time, and is planned again after two complete empty listings and without evidence only:
//     store.TestUnknownRestsBeforeItIsLookedFor, store.TestUnknownIsClearedOnlyWithoutEvidence, campaign/twilio.TestGateway_List_incomplete
//   - A late reply, a callback, a listing and the use of the link are evidence: store.TestUnknownIsClearedOnlyWithoutEvidence,
//     store.TestLifeOfATextOnBothEngines, cmd/wellpaced.TestCrashPoints/callback_before_record
//   - When the campaign is over an unknown message is held, and only a person or evidence moves it: store.TestOverlap_stopWithUnknownRows,
//     campaign.TestNoWayBackOnceTheProviderHasIt, campaign/desk.TestHeld
//   - A worker takes a send token first, then claims, then sends: campaign.TestDispatcher_order
//   - The intent is durable before the first byte: cmd/wellpaced.TestCrashPoints/after_intent_before_bytes, cmd/wellpaced.TestCrashPoints/intent_refused,
//     store.TestOpen_sqliteIsDurableAndPrivate
//   - A claim and an opt-out lock the same number, so that no claim commits after an opt-out was acknowledged: store.TestOptOutRacesClaim,
//     store.TestOverlap_optOutInTheJournalAloneDuringClaim
//   - No claim commits after a pause was answered: store.TestOverlap_pauseRacesClaim
//   - A claim checks again suppression, window, campaign state, contact ledger and open referrals: store.TestClaimChecksAgain
//   - No second text to a number from any campaign within the contact gap, this campaign's later steps excepted:
//     store.TestOverlap_twoCampaignsOneNumber, store.TestOverlap_listAgainWhileUnknown, store.TestReminderOnlyForWhoHasNotAnswered
//   - A reminder goes only to those who had the first text long enough ago and have neither answered nor opted out:
//     store.TestReminderOnlyForWhoHasNotAnswered, store.TestOverlap_reminderAfterAnAnswer, store.TestOverlap_reminderWhileTheFirstIsUnknown
//   - Number and body are frozen by the claim, and looked up by: store.TestUnknownIsLookedForByWhatWasSent
//   - An attempt past its deadline is unknown: store.TestUnknownRestsBeforeItIsLookedFor
//   - The first byte is not written more than [FirstByte] after the claim: campaign/twilio.TestGateway_Send_keepsBackAStaleClaim,
//     campaign/twilio.TestGateway_Send_keepsBackAClaimFromTheFuture, cmd/wellpaced.TestCrashPoints/frozen_past_lease
//   - Later writes are guarded by state and attempt: store.TestOverlap_zombieRefusalDuringTheNextAttempt, store.TestLifeOfATextOnBothEngines
//   - Evidence is adopted from any state: campaign.TestEvidenceIsAdoptedFromAnyState, store.TestOverlap_evidenceInEveryState,
//     store.TestOverlap_lateCallbackForAMessagePlannedAgain
//   - The provider's reply is not thrown away when the database refuses it: store.TestRecord_databaseLost,
//     cmd/wellpaced.TestCrashPoints/record_refused, campaign.TestDispatcher_keepsTheReply
//   - Clearing is one compare-and-swap on attempt, state, evidence and epoch: store.TestOverlap_clearRacesEvidence,
//     store.TestOverlap_clearOfAnAttemptThatIsOver, store.TestUnknownIsClearedOnlyWithoutEvidence
//   - The leader's epoch guards release and clearing, and a takeover leaves live sends alone: store.TestOverlap_staleLeader
//   - What failed or was not delivered is never sent again: campaign.TestFinalStatesAreNeverResent
//   - One message for a person and a number in one step: store.TestOverlap_reminderAfterAnAnswer
//   - Several patients on one number get one text without a name, and a birth date is matched against all of them:
//     store.TestOverlap_twoPeopleOneNumber, store.TestKeep_lanes
//   - A database that went back in time sends nothing before it has learned what left, and a person has accepted what nobody can tell:
//     store.TestRestoredBackupTextsNobodyTwice, store.TestQuarantine_nothingGoes, store.TestJudge, cmd/wellpaced.TestRestore_databaseFile,
//     cmd/wellpaced.TestRestore_wholeFolder, cmd/wellpaced.TestRestore_backup, cmd/wellpaced.TestRestore_wholeMachine,
//     cmd/wellpaced.TestRestore_failover, cmd/wellpaced.TestRestore_postgresBackup
//   - A text that the provider's record cannot settle is held: store.TestDoubtsThatAreHeld
//   - A receipt that was lost is asked for: store.TestSweep, cmd/wellpaced.TestSweep_whileServing
//   - Sends stop first when Redis, the database or the disk is away, or the clock was set, and nothing is lost: cmd/wellpaced.TestRedisAway,
//     cmd/wellpaced.TestDatabaseAway, store.TestDiskFull, store.TestClockStep
//   - Many processes keep to one leader and to the sender's rate: cmd/wellpaced.TestManyProcesses, campaign/queue.TestRate_IsShared
//   - A callback is believed by its signature alone, under the current and the previous token, and confirmed only once it is committed:
//     campaign/twilio.TestVerify_golden, campaign/twilio.TestWebhooks_tampering, campaign/twilio.TestWebhooks_status,
//     cmd/wellpaced.TestCrashPoints/callback_unconfirmed
//   - Two ids of the provider for one message ring an alarm: store.TestOverlap_zombieAcceptDuringTheNextAttempt
//   - Who sends the form by their link and says that a text is safe gets one text back, to the number that was invited, once; whoever does not
//     say so gets none: store.TestConfirmation, store.TestConfirmation_whoGetsNone, store.TestConfirmation_oneOfMany, selfrefer.TestConfirms,
//     cmd/wellpaced.TestStory_textBack
//   - A text back that may have left is never sent again, after whatever crash or restore, and none is sent for a form that comes from the
//     journal: store.TestConfirmation_crashPoints, store.TestConfirmation_restoredBackup, store.TestConfirmation_notFromTheJournal,
//     cmd/wellpaced.TestCrashPoints/text_back_before_ring, cmd/wellpaced.TestCrashPoints/text_back_before_record
//   - No text back is claimed after an opt-out was acknowledged, nor later than it is of use: store.TestConfirmation_optOutRacesClaim,
//     store.TestConfirmation_claimChecksAgain, campaign.TestAdmitService
//   - Who was tried three times in vain, and who will not be called by the day that they were told, gets one text each, where they said that a
//     text is safe and nothing speaks against it since: store.TestWeTried, store.TestWeTried_whoGetsNone, store.TestTellLate,
//     store.TestTexts_atMostOne, selfrefer.TestMayText, selfrefer.TestRunsLate, cmd/wellpaced.TestStory_told
//   - None of these leaves at night, nor to somebody who has been reached, is urgent, has written again or has opted out since:
//     campaign.TestService_Leaves, campaign.TestService_Leaves_byDay, store.TestWeTried_claimChecksAgain, store.TestWeTried_optOutRacesClaim
//   - A text back says nothing that a stranger should not read, in any language: campaign.TestServiceTexts_allLanguages
//   - The pacer, the funnel and the contact ledger do not see texts back; the money does: store.TestConfirmation, cmd/wellpaced.TestStory_textBack
//   - A correction goes once to each number that had the wrong text or may have, and to nobody who must not be texted: store.TestCorrection,
//     store.TestCorrection_whom, store.TestCorrection_narrowed, campaign.TestAdmitCorrection, campaign.TestWhom_Among
//   - No correction is claimed after an opt-out or a stop was answered, at night, or against the word of a practice:
//     store.TestCorrection_optOutRaces, store.TestCorrection_claimChecksAgain
//   - A correction that never left is sent again on the word of the provider's record alone, after whatever crash or restore:
//     store.TestCorrection_unknown, store.TestCorrection_restored, cmd/wellpaced.TestCrashPoints/correction_before_bytes,
//     cmd/wellpaced.TestCrashPoints/correction_before_record
//   - All of it together, under kill -9 at random: cmd/wellpaced.TestSoak, cmd/wellpaced.TestSoakCanFail
package campaign
