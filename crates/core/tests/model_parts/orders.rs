//! All ways in which a few acts may have seen each other, and all orders in which they may arrive. Knows nothing of
//! what the acts are.

/// Of each act, the acts in its past, as bits. It is closed: the past of what is in a past is in it.
pub type Pasts = Vec<u8>;

/// Every strict partial order of so many acts, each once.
pub fn partial_orders(count: usize) -> Vec<Pasts> {
    let pairs: Vec<(usize, usize)> = (0..count).flat_map(|a| (0..a).map(move |b| (a, b))).collect();
    let mut orders = Vec::new();
    for code in 0..3_usize.pow(pairs.len() as u32) {
        let mut pasts = vec![0; count];
        let mut rest = code;
        for (a, b) in &pairs {
            match rest % 3 {
                1 => pasts[*a] |= 1 << b,
                2 => pasts[*b] |= 1 << a,
                _ => {}
            }
            rest /= 3;
        }
        if is_closed(&pasts) {
            orders.push(pasts);
        }
    }
    orders
}

fn is_closed(pasts: &[u8]) -> bool {
    pasts.iter().enumerate().all(|(at, past)| {
        past & (1 << at) == 0
            && (0..pasts.len())
                .filter(|other| past & (1 << other) != 0)
                .all(|other| pasts[other] & !past == 0)
    })
}

/// Every order in which each act comes after its past.
pub fn arrivals(pasts: &[u8]) -> Vec<Vec<usize>> {
    let mut all = Vec::new();
    extend(pasts, &mut Vec::new(), 0, &mut all);
    all
}

fn extend(pasts: &[u8], so_far: &mut Vec<usize>, seen: u8, all: &mut Vec<Vec<usize>>) {
    if so_far.len() == pasts.len() {
        all.push(so_far.clone());
        return;
    }
    for at in (0..pasts.len()).filter(|at| seen & (1 << at) == 0 && pasts[*at] & !seen == 0) {
        so_far.push(at);
        extend(pasts, so_far, seen | 1 << at, all);
        so_far.pop();
    }
}

/// Every choice of so many out of these.
pub fn choices<T: Copy>(of: &[T], count: usize) -> Vec<Vec<T>> {
    if count == 0 {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (at, first) in of.iter().enumerate() {
        for mut rest in choices(&of[at + 1..], count - 1) {
            rest.insert(0, *first);
            all.push(rest);
        }
    }
    all
}
