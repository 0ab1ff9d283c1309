//! The machine's clock.

use beltline::engine::ports::Clock;
use beltline::model::time::Span;
use beltline::outbound::clock::SystemClock;

#[tokio::test]
async fn a_wake_up_is_never_early() {
    let clock = SystemClock;
    for millis in [0, 1, 7, 30] {
        let at = clock.now() + Span::millis(millis);
        clock.at(at).await;
        assert!(clock.now() >= at);
    }
    clock.at(clock.now() - Span::days(1)).await;
}

#[tokio::test]
async fn ticks_and_the_time_the_machine_is_up_go_on_and_never_back() {
    let clock = SystemClock;
    let (ticks, up) = (clock.ticks(), clock.up());
    clock.after(Span::millis(30)).await;
    assert!(clock.ticks() >= ticks + Span::millis(30));
    assert!(clock.up() >= up);
    clock.at_tick(ticks).await;
}
